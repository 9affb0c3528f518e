// A payment provider as others run it: whatever is asked under one key is charged once. `node provider.ts <port> <file>`
import { randomUUID } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync, truncateSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { json } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'

interface Charge {
  readonly id: string
  readonly order: string
  readonly amount: number
}

const [port = '4242', file = 'charges.jsonl'] = process.argv.slice(2)
const WORK_MS = Number(process.env.WORK_MS ?? 50)

/** By key; a charge that is under way is there already, so nobody is told that there is none. */
const charges = new Map<string, Promise<Charge>>()
if (existsSync(file)) {
  const text = readFileSync(file, 'utf8')
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  truncateSync(file, Buffer.byteLength(whole))
  for (const line of whole.trim().split('\n').filter(Boolean)) {
    const { key, ...charge } = JSON.parse(line)
    charges.set(key, Promise.resolve(charge))
  }
}

async function charge(key: string, order: string, amount: number): Promise<Charge> {
  console.log(`charging ${order}`)
  await setTimeout(WORK_MS)
  const charged = { id: `ch_${randomUUID()}`, order, amount }
  // On the disk before it is answered.
  appendFileSync(file, `${JSON.stringify({ key, ...charged })}\n`, { flush: true })
  return charged
}

async function answer({ method, url, headers }: IncomingMessage, body: unknown): Promise<[number, unknown]> {
  if (method === 'GET') {
    const found = await charges.get(url?.replace('/charges/', '') ?? '')
    return found === undefined ? [404, { error: 'no such charge' }] : [200, found]
  }
  const { order, amount } = body as Charge
  // Without a key every request is another charge.
  const key = String(headers['idempotency-key'] ?? randomUUID())
  const known = charges.get(key) ?? charge(key, order, amount)
  charges.set(key, known)
  const charged = await known
  return charged.amount === amount ? [200, charged] : [422, { error: 'the key was used for another amount' }]
}

const server = createServer(async (request, response) => {
  const [status, reply] = await answer(request, request.method === 'POST' ? await json(request) : undefined)
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(reply))
})
server.listen(Number(port), '127.0.0.1', () =>
  console.log(`listening on ${(server.address() as { port: number }).port}`),
)
