import { type Measured, measure, type Where } from '../redis-locks/measure.ts'
import { medians, type Point } from './medians.ts'
import type { Row } from './results.ts'
import type { Servers } from './servers.ts'

const PROCESSES = [1, 2, 4, 8]
const CALLERS = 16
const SECONDS = 2

/** More and more processes of 16 callers want one key: sections of 1 ms, on Redis and on the lease table on Postgres. */
export function measureProcesses(rounds: number, { redisUrl, databaseUrl }: Servers): Promise<Row[]> {
  const places: { at: Row; where: Where }[] = [
    { at: { way: 'concurrency-kit', store: 'Redis' }, where: { way: 'concurrency-kit', redisUrl } },
    { at: { way: 'redlock 5', store: 'Redis' }, where: { way: 'redlock 5', redisUrl } },
    { at: { way: 'redis-semaphore', store: 'Redis' }, where: { way: 'redis-semaphore', redisUrl } },
  ]
  if (databaseUrl !== undefined) {
    places.push({
      at: { way: 'concurrency-kit', store: 'Postgres' },
      where: { way: 'concurrency-kit', redisUrl, databaseUrl },
    })
  }
  const points = places.flatMap(({ at, where }) =>
    PROCESSES.map((processes): Point => {
      const scenario = { processes, callers: CALLERS, sectionMs: 1 }
      const run = async () => {
        const measured = await measure(where, scenario, SECONDS)
        return { ...shared(measured), ...(where.databaseUrl === undefined && { commands: measured.commands }) }
      }
      return { at: { ...at, processes }, run }
    }),
  )
  return medians(points, rounds)
}

function shared({ perSecond, p50Ms, p99Ms, jain, callersJain }: Measured): Record<string, number> {
  return { perSecond, p50Ms, p99Ms, jain, callersJain }
}
