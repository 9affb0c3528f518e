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

const provider = start('provider.ts', ['0', file])
const said = createInterface(provider.stdout as NodeJS.ReadableStream)[Symbol.asyncIterator]()
const port = (await said.next()).value?.replace('listening on ', '')
const env = {
  PROVIDER_URL: `http://127.0.0.1:${port}`,
  RECORDS_URL: process.env.RECORDS_URL ?? join(folder, 'payments.db'),
  LEASE_MS: '500',
}

for (const mode of ['rerun', 'refuse', 'probe']) {
  const order = randomUUID()
  const payer = start('pay.ts', [order, '10000', mode], env)
  // It is charging: whether it will have charged, the payer does not live to see.
  await said.next()
  payer.kill('SIGKILL')
  await once(payer, 'exit')

  const again = start('pay.ts', [order, '10000', mode], env)
  const [paid, refused] = await Promise.all([text(again.stdout as never), text(again.stderr as never)])
  const charges = (await readFile(file, 'utf8')).split('\n').filter((line) => line.includes(order))
  console.log(
    `${mode}: ${paid === '' ? refused.trim() : `paid ${JSON.parse(paid).amount}`}; charges: ${charges.length}`,
  )
}
provider.kill()
await once(provider, 'exit')
await rm(folder, { recursive: true })
