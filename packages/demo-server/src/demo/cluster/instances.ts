import { postgresLedger } from '../ledger.ts'
import { type ServerProcess, startServer } from '../server-process.ts'
import type { Target } from '../under-load.ts'
import type { Engines } from './engines.ts'

export const INSTANCES = 4

/** Several processes of the demo server on the same stores. */
export interface Instances extends Target {
  /** Kills one of them as `kill -9` does; the function returned starts it again, where it was. */
  killOne(): Promise<() => Promise<void>>
  stop(): Promise<void>
}

/** Starts them at once, on an empty database. */
export async function startInstances(
  { redisUrl, freshDatabase }: Engines,
  settings: Readonly<Record<string, string>>,
): Promise<Instances> {
  const databaseUrl = await freshDatabase()
  const env = { ...settings, REDIS_URL: redisUrl, DATABASE_URL: databaseUrl }
  const started = await Promise.allSettled(Array.from({ length: INSTANCES }, () => startServer(env)))
  const servers: ServerProcess[] = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  const stop = async () => {
    await Promise.all(servers.map((server) => server.stop()))
  }
  const failed = started.find((each) => each.status === 'rejected')
  if (failed !== undefined) {
    await stop()
    throw failed.reason
  }
  return {
    urls: servers.map(({ url }) => url),
    ledger: postgresLedger(databaseUrl),
    counter: async (name) => {
      const counts = await Promise.all(servers.map((server) => server.counter(name)))
      return counts.reduce((sum, count) => sum + count, 0)
    },
    killOne: async () => {
      const [victim] = servers.splice(0, 1)
      if (victim === undefined) throw new Error('no server is left to be killed')
      await victim.kill()
      return async () => {
        servers.push(await startServer({ ...env, PORT: new URL(victim.url).port }))
      }
    },
    stop,
  }
}
