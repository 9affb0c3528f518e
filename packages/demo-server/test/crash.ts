import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { isAlive, type ServerProcess, startServerProcess } from './support/child.ts'
import { charge } from './support/client.ts'
import { temporaryFolder } from './support/temporary-folder.ts'

const USERS = 10
const CLIENTS = 30

export interface CrashReport {
  readonly kills: number
  readonly acknowledged: number
  /** Charges that were sent again because no answer came. */
  readonly repeated: number
  /** What must be empty: a line for each thing that is not as it must be. */
  readonly faults: readonly string[]
}

/** Kills the server's own process under load `kills` times, with clients that repeat their keys, and compares. */
export async function crash(kills: number, loadMs: number): Promise<CrashReport> {
  const folder = temporaryFolder()
  const file = join(folder, 'demo.db')
  const env = { DATABASE_URL: `sqlite:${file}`, SEED_USERS: String(USERS), LOG_LEVEL: 'info' }
  const faults: string[] = []
  const acknowledged = new Map<string, number>()
  let repeated = 0
  let server: ServerProcess = await startServerProcess(env)
  let running = true

  const client = async (number: number) => {
    while (running) {
      const key = randomUUID()
      const amount = 1 + Math.floor(Math.random() * 1000)
      for (;;) {
        const answer = await charge(server.url, 1 + (number % USERS), { amount, idempotencyKey: key }).catch(
          () => undefined,
        )
        if (answer?.status === 200) break
        if (answer !== undefined && answer.status < 500) faults.push(`answer ${answer.status} ${answer.text}`)
        repeated += 1
        await setTimeout(5)
      }
      acknowledged.set(key, amount)
    }
  }
  const clients = Array.from({ length: CLIENTS }, (_, number) => client(number))

  for (let kill = 0; kill < kills; kill++) {
    await setTimeout(loadMs * (0.5 + Math.random()))
    process.kill(server.pid, 'SIGKILL')
    const { signal } = await server.exited
    if (signal !== 'SIGKILL' || isAlive(server.pid)) faults.push(`process ${server.pid} was not killed`)
    server = await startServerProcess(env)
  }
  running = false
  await Promise.all(clients)
  process.kill(server.pid, 'SIGTERM')
  await server.exited

  faults.push(...compare(file, acknowledged))
  rmSync(folder, { recursive: true })
  return { kills, acknowledged: acknowledged.size, repeated, faults }
}

/** Every acknowledged charge is there, and there is no money that no charge explains. */
function compare(file: string, acknowledged: ReadonlyMap<string, number>): string[] {
  const database = new Database(file, { readonly: true })
  const records = database.prepare('SELECT idempotency_key, status, amount FROM charge_balance_idempotency').all() as {
    idempotency_key: string
    status: string
    amount: number
  }[]
  const balances = database.prepare('SELECT sum(balance) FROM users').pluck().get()
  database.close()
  const faults: string[] = []
  const completed = new Map<string, number>()
  for (const { idempotency_key, status, amount } of records) {
    if (status === 'COMPLETED') completed.set(idempotency_key, amount)
    else faults.push(`key ${idempotency_key} is stuck as ${status}`)
  }
  for (const [key, amount] of acknowledged) {
    if (completed.get(key) !== amount)
      faults.push(`key ${key} was acknowledged, and is recorded with ${completed.get(key)}`)
  }
  const sum = [...completed.values()].reduce((total, amount) => total + amount, 0)
  if (balances !== sum) faults.push(`balances are ${balances}, the completed charges ${sum}`)
  return faults
}

/** `pnpm --filter demo-server crash 20` */
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const kills = Number(process.argv.findLast((argument) => /^\d+$/.test(argument)) ?? 20)
  const report = await crash(kills, 600)
  console.log(report)
  process.exitCode = report.faults.length > 0 ? 1 : 0
}
