// Kills the payer while the provider works, and pays again, with each answer to what nobody knows: `node crash.ts`.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const folder = await mkdtemp(join(tmpdir(), 'payment-provider-'))
const file = join(folder, 'charges.jsonl')

function start(program: string, args: readonly string[], env = {}): ChildProcess {
  const argv = [...process.execArgv, fileURLToPath(new URL(program, import.meta.url)), ...args]
  return spawn(process.execPath, argv, { env: { ...process.env, ...env } })
}

const provider = start('provider.ts', ['0', file], { WORK_MS: '500' })
const said = createInterface(provider.stdout as NodeJS.ReadableStream)
const [listening] = await once(said, 'line')
const env = {
  PROVIDER_URL: `http://127.0.0.1:${listening.replace('listening on ', '')}`,
  RECORDS_URL: process.env.RECORDS_URL ?? join(folder, 'payments.db'),
  LEASE_MS: process.env.LEASE_MS ?? '1000',
}

async function charges(order: string): Promise<number> {
  const lines = (await readFile(file, { encoding: 'utf8', flag: 'a+' })).split('\n')
  return lines.filter((line) => line.includes(order)).length
}

/** Enough for a loaded machine, on which a process may lose its lease before it begins. */
const TRIES = 10

/** Kills a payer while the provider processes its charge. Returns the order. */
async function killWhileCharging(mode: string): Promise<string> {
  for (let tried = 0; tried < TRIES; tried += 1) {
    const order = randomUUID()
    const payer = start('pay.ts', [order, '10000', mode], env)
    const ended = once(payer, 'exit')
    const charging = new Promise((resolve) => said.on('line', (line) => line === `charging ${order}` && resolve(line)))
    // If the payer ends before it calls the provider, try again with another order.
    await Promise.race([charging, ended])
    payer.kill('SIGKILL')
    await ended
    // The provider had not charged yet, so the payer died without an answer.
    if (payer.signalCode === 'SIGKILL' && (await charges(order)) === 0) return order
  }
  throw new Error(`no payer was killed while the provider worked, in ${TRIES} tries`)
}

/** Repeats the order until it gets an answer, as a client would. */
async function answer(order: string, mode: string): Promise<string> {
  let failure = ''
  for (let tried = 0; tried < TRIES; tried += 1) {
    const payer = start('pay.ts', [order, '10000', mode], env)
    const [paid, error] = await Promise.all([text(payer.stdout as never), text(payer.stderr as never)])
    if (paid !== '') return `paid ${JSON.parse(paid).amount}`
    failure = error.trim()
    // The answer of `refuse`: repeating the order does not change it.
    if (mode === 'refuse' && failure.startsWith('AMBIGUOUS_OUTCOME')) return failure
  }
  return failure
}

try {
  for (const mode of ['rerun', 'refuse', 'probe']) {
    const order = await killWhileCharging(mode)
    const answered = await answer(order, mode)
    console.log(`${mode}: ${answered}; charges: ${await charges(order)}`)
  }
} finally {
  provider.kill()
  await once(provider, 'exit')
  await rm(folder, { recursive: true })
}
