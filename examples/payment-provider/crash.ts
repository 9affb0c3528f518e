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

/** More than a loaded machine needs, where a process may lose its lease before it has begun. */
const TRIES = 10

/** Kills a payer while the provider works for it, and gives the order. */
async function killWhileCharging(mode: string): Promise<string> {
  for (let tried = 0; tried < TRIES; tried += 1) {
    const order = randomUUID()
    const payer = start('pay.ts', [order, '10000', mode], env)
    const ended = once(payer, 'exit')
    const charging = new Promise((resolve) => said.on('line', (line) => line === `charging ${order}` && resolve(line)))
    // One that ends before it has asked the provider is no case of this: another order is next.
    await Promise.race([charging, ended])
    payer.kill('SIGKILL')
    await ended
    // The provider is not done yet, so the payer has not lived to see whether it charged.
    if (payer.signalCode === 'SIGKILL' && (await charges(order)) === 0) return order
  }
  throw new Error(`no payer was killed while the provider worked, in ${TRIES} tries`)
}

/** Sends the order until it is answered, as its client does. */
async function answer(order: string, mode: string): Promise<string> {
  let refused = ''
  for (let tried = 0; tried < TRIES; tried += 1) {
    const payer = start('pay.ts', [order, '10000', mode], env)
    const [paid, error] = await Promise.all([text(payer.stdout as never), text(payer.stderr as never)])
    if (paid !== '') return `paid ${JSON.parse(paid).amount}`
    refused = error.trim()
    if (refused.includes('vanished before it was completed')) return refused
  }
  return refused
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
