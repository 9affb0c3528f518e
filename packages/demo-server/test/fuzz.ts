import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { balanceOf, sendRaw } from './support/client.ts'
import { startTestServer } from './support/in-process.ts'

const USERS = 3

const number = fc.oneof(
  fc.integer().map(String),
  fc.double().map(String),
  fc.bigInt().map(String),
  fc.constantFrom('1', '5.0', '1e2', '-0', '0.1e1', '9007199254740990.6', '1.00000000000000000001', '01', '1e999'),
)
const jsonText = fc.oneof(fc.json(), number, fc.constantFrom('null', 'true', '""', '{}', '[]', '{', 'NaN'))
const field = fc.tuple(
  fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom('"amount"', '"idempotencyKey"') },
    fc.constantFrom('"__proto__"', '"\\u0061mount"', 'amount'),
    fc.string().map((name) => JSON.stringify(name)),
  ),
  fc.oneof(
    jsonText,
    fc.string({ unit: 'binary', maxLength: 120 }).map((text) => JSON.stringify(text)),
  ),
)
const object = fc.array(field, { maxLength: 5 }).map((fields) => `{${fields.map((pair) => pair.join(':')).join(',')}}`)
const valid = fc
  .record({ amount: fc.integer({ min: 1, max: 1000 }), idempotencyKey: fc.string({ minLength: 1, maxLength: 10 }) })
  .map((body) => JSON.stringify(body))
const body = fc
  .oneof(
    { weight: 3, arbitrary: object },
    valid,
    jsonText,
    fc.string({ unit: 'binary' }),
    fc.string({ minLength: 17_000, maxLength: 20_000 }),
  )
  .map((text) => Buffer.from(text).toString('latin1'))

const segment = fc.oneof(
  fc.constantFrom('1', '2', '3', '0', '01', '-1', '999', '%31', '%ZZ', '%00', '1'.repeat(150), '..', ''),
  fc.nat().map(String),
  fc.webPath(),
  fc.string().map((text) => text.replace(/[\r\n]/g, '')),
)
const path = fc.oneof(
  { weight: 5, arbitrary: segment.map((id) => `/api/users/${id}/balance/charge`) },
  segment.map((id) => `/api/users/${id}/balance`),
  segment.map((rest) => `/${rest}`),
)
const headerValue = fc.string({ maxLength: 60 }).map((text) => text.replace(/[\r\n]/g, ''))
const header = fc.oneof(
  fc.tuple(
    fc.constantFrom(
      'Idempotency-Key',
      'Accept-Language',
      'Content-Type',
      'Expect',
      'Host',
      'Accept',
      'Upgrade',
      'TE',
      'Cookie',
    ),
    fc.oneof(headerValue, fc.constantFrom('"quoted"', '"open', 'en', '100-continue', 'application/json', 'text/plain')),
  ),
  fc.tuple(
    fc.string({ maxLength: 20 }).map((text) => text.replace(/[\r\n:]/g, '')),
    headerValue,
  ),
)
const method = fc.oneof(
  { weight: 6, arbitrary: fc.constant('POST') },
  fc.constantFrom('GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY', 'get', 'X'),
)
const contentType = fc.oneof(
  { weight: 8, arbitrary: fc.constant('application/json') },
  fc.constantFrom(
    'application/json; charset=utf-8',
    'text/plain',
    'APPLICATION/JSON',
    'application/x-www-form-urlencoded',
    ';',
  ),
)
const requests = fc.record({ method, path, contentType, headers: fc.array(header, { maxLength: 3 }), body })

/** Sends random requests; rejects with the shortest one whose answer is not one of the contract. */
export async function fuzz(runs: number, seed?: number): Promise<{ answers: Map<number, number>; faults: string[] }> {
  const server = await startTestServer({ users: USERS })
  const answers = new Map<number, number>()
  const charged = new Map<string, number>()
  const property = fc.asyncProperty(requests, async ({ method, path, contentType, headers, body }) => {
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
    const head = `${method} ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: ${contentType}\r\n${lines}`
    const answer = await sendRaw(server.url, `${head}Content-Length: ${body.length}\r\n\r\n${body}`)
    answers.set(answer.status, (answers.get(answer.status) ?? 0) + 1)
    if (!(answer.status >= 200 && answer.status < 500)) throw new Error(`status ${answer.status} ${answer.text}`)
    if (method === 'HEAD') return
    const { code, message, timestamp, chargedAmount, chargedAt } = answer.json ?? {}
    if (answer.status >= 400 && !(code && message && timestamp))
      throw new Error(`answer ${answer.status} ${answer.text}`)
    // A repeated key answers the first charge's receipt.
    if (chargedAmount !== undefined) charged.set(answer.text, chargedAt && chargedAmount)
  })
  try {
    await fc.assert(property, { numRuns: runs, ...(seed !== undefined && { seed }) })
    const faults: string[] = []
    let balances = 0
    for (let user = 1; user <= USERS; user++) balances += await balanceOf(server.url, user)
    const sum = [...charged.values()].reduce((total, amount) => total + amount, 0)
    if (balances !== sum) faults.push(`balances are ${balances}, the receipts say ${sum}`)
    return { answers, faults }
  } finally {
    await server.close()
  }
}

/** `pnpm --filter demo-server fuzz 10000` */
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const runs = Number(process.argv.findLast((argument) => /^\d+$/.test(argument)) ?? 10_000)
  const report = await fuzz(runs)
  console.log(report)
  process.exitCode = report.faults.length > 0 ? 1 : 0
}
