import { setTimeout } from 'node:timers/promises'
import { FaultyLine } from '../../../concurrency-kit/test/support/faulty-line.ts'
import type { Engines } from '../../src/demo/cluster/engines.ts'
import { type Ledger, postgresLedger } from '../../src/demo/ledger.ts'
import { type ServerProcess, startServer } from '../../src/demo/server-process.ts'

const program = new URL('./instance.ts', import.meta.url)
const START_AGAIN_MS = 200

/** A server process, and its lines to the stores. */
export interface Instance {
  readonly port: number
  readonly redis: FaultyLine
  readonly postgres: FaultyLine
  /** Kills it as `kill -9` does; resolves when it is gone. */
  kill(): Promise<void>
  /** Starts it again where it was; again and again, as long as its stores are not there. */
  restart(): Promise<void>
  signal(name: 'SIGSTOP' | 'SIGCONT'): void
}

export interface Fleet {
  readonly instances: readonly Instance[]
  readonly ledger: Ledger
  stop(): Promise<void>
}

/** Starts so many servers on a fresh database. */
export async function startFleet(
  count: number,
  engines: Engines,
  settings: Readonly<Record<string, string>>,
): Promise<Fleet> {
  const databaseUrl = await engines.freshDatabase()
  const [redisPort, postgresPort] = [localPort(engines.redisUrl, 6379), localPort(databaseUrl, 5432)]
  const closing: (() => Promise<void>)[] = []
  const stop = async () => {
    for (const close of closing.splice(0).reverse()) await close()
  }
  const start = async (): Promise<Instance> => {
    const redis = await FaultyLine.to(redisPort)
    const postgres = await FaultyLine.to(postgresPort)
    closing.push(async () => {
      await Promise.all([redis.close(), postgres.close()])
    })
    const env = { ...settings, REDIS_URL: redis.through(engines.redisUrl), DATABASE_URL: postgres.through(databaseUrl) }
    let server: ServerProcess = await startServer(env, program)
    const port = new URL(server.url).port
    closing.push(() => server.stop())
    return {
      port: Number(port),
      redis,
      postgres,
      kill: () => server.kill(),
      restart: async () => {
        for (;;) {
          const started = await startServer({ ...env, PORT: port }, program).catch(() => undefined)
          if (started) {
            server = started
            return
          }
          await setTimeout(START_AGAIN_MS)
        }
      },
      signal: (name) => process.kill(server.pid, name),
    }
  }
  const started = await Promise.allSettled(Array.from({ length: count }, start))
  const failed = started.find((each) => each.status === 'rejected')
  if (failed) {
    await stop()
    throw failed.reason
  }
  const instances = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  return { instances, ledger: postgresLedger(databaseUrl), stop }
}

function localPort(url: string, usual: number): number {
  const { hostname, port } = new URL(url)
  if (!['localhost', '127.0.0.1'].includes(hostname))
    throw new Error(`lines lead to this machine alone, not to ${hostname}`)
  return Number(port || usual)
}
