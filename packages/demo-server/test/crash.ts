import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Backing, embedded } from './support/backing.ts'
import { isAlive, type ServerProcess, startServerProcess } from './support/child.ts'
import { charge } from './support/client.ts'

const USERS = 10
const CLIENTS = 30

export interface CrashReport {
  readonly kills: number
  readonly acknowledged: number
  /** Charges that were sent again because no answer came, or none that settles them. */
  readonly repeated: number
  /** What must be empty: a line for each thing that is not as it must be. */
  readonly faults: readonly string[]
}

export interface CrashPlan {
  readonly kills: number
  /** Time between kills, on average. */
  readonly loadMs: number
  /** How many servers run on the stores; one of them is killed at a time. @defaultValue 1 */
  readonly instances?: number
  readonly afterKill?: () => Promise<void>
}

/** Kills a server's own process under load again and again, with clients that repeat their keys, and compares. */
export async function crash(backing: Backing, plan: CrashPlan): Promise<CrashReport> {
  const { kills, loadMs, instances = 1, afterKill } = plan
  const env = { ...backing.env, SEED_USERS: String(USERS), LOG_LEVEL: 'info' }
  const faults: string[] = []
  const acknowledged = new Map<string, number>()
  let repeated = 0
  const servers: ServerProcess[] = await Promise.all(Array.from({ length: instances }, () => startServerProcess(env)))
  let running = true

  const client = async (number: number) => {
    while (running) {
      const key = randomUUID()
      const amount = 1 + Math.floor(Math.random() * 1000)
      for (let turn = number; ; turn += 1) {
        const { url = '' } = servers[turn % instances] ?? {}
        const body = { amount, idempotencyKey: key }
        const answer = await charge(url, 1 + (number % USERS), body).catch(() => undefined)
        if (answer?.status === 200) break
        if (answer !== undefined && answer.status < 500 && answer.status !== 409)
          faults.push(`answer ${answer.status} ${answer.text}`)
        repeated += 1
        await setTimeout(5)
      }
      acknowledged.set(key, amount)
    }
  }
  const clients = Array.from({ length: CLIENTS }, (_, number) => client(number))

  for (let kill = 0; kill < kills; kill++) {
    await setTimeout(loadMs * (0.5 + Math.random()))
    const { pid, exited } = servers[kill % instances] as ServerProcess
    process.kill(pid, 'SIGKILL')
    const { signal } = await exited
    if (signal !== 'SIGKILL' || isAlive(pid)) faults.push(`process ${pid} was not killed`)
    await afterKill?.()
    servers[kill % instances] = await startServerProcess(env)
  }
  running = false
  await Promise.all(clients)
  for (const { pid } of servers) process.kill(pid, 'SIGTERM')
  await Promise.all(servers.map(({ exited }) => exited))

  faults.push(...(await compare(backing, acknowledged)))
  return { kills, acknowledged: acknowledged.size, repeated, faults }
}

/** Every acknowledged charge is there, and there is no money that no charge explains. */
async function compare({ ledger, sql }: Backing, acknowledged: ReadonlyMap<string, number>): Promise<string[]> {
  const completed = await ledger.completed()
  const stuck = await sql<{ idempotency_key: string; status: string }>(
    "SELECT idempotency_key, status FROM charge_balance_idempotency WHERE status <> 'COMPLETED'",
  )
  const faults = stuck.map(({ idempotency_key, status }) => `key ${idempotency_key} is stuck as ${status}`)
  for (const [key, amount] of acknowledged) {
    const recorded = completed.get(key)?.amount
    if (recorded !== amount) faults.push(`key ${key} was acknowledged, and is recorded with ${recorded}`)
  }
  const total = (numbers: Iterable<number>) => [...numbers].reduce((sum, each) => sum + each, 0)
  const balances = total((await ledger.balances()).values())
  const charged = total([...completed.values()].map(({ amount }) => amount))
  if (balances !== charged) faults.push(`balances are ${balances}, the completed charges ${charged}`)
  return faults
}

/** `pnpm --filter demo-server crash 20` */
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const kills = Number(process.argv.findLast((argument) => /^\d+$/.test(argument)) ?? 20)
  const backing = await embedded()
  const report = await crash(backing, { kills, loadMs: 600 })
  await backing.discard()
  console.log(report)
  process.exitCode = report.faults.length > 0 ? 1 : 0
}
