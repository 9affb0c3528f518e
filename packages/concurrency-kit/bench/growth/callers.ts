import { type Exclusive, memoryWays } from '../memory-lock.ts'
import { measure } from '../redis-locks/measure.ts'
import type { WayName } from '../redis-locks/ways.ts'
import { median, quantile } from '../rounds.ts'
import { medians, type Point } from './medians.ts'
import type { Row } from './results.ts'
import type { Servers } from './servers.ts'

const CALLERS = [10, 100, 1_000, 10_000]
const ON_REDIS: readonly WayName[] = ['concurrency-kit', 'redlock 5', 'redis-semaphore']
const SECONDS = 1.5

/** More and more callers of one process want one key: empty sections, in memory and on Redis. */
export function measureCallers(rounds: number, { redisUrl }: Servers): Promise<Row[]> {
  const inMemory = Object.keys(memoryWays())
    .filter((name) => name !== 'promise chain')
    .flatMap((name) =>
      CALLERS.map((callers): Point => {
        const way = name.replace('withDistributedLock, memory', 'concurrency-kit')
        return { at: { way, store: 'memory', callers }, run: () => contend(memoryWays()[name] as Exclusive, callers) }
      }),
    )
  const onRedis = ON_REDIS.flatMap((way) =>
    CALLERS.map((callers): Point => {
      const scenario = { processes: 1, callers, sectionMs: 0 }
      const run = async () => {
        const { perSecond, p50Ms, p99Ms, commands } = await measure({ way, redisUrl }, scenario, SECONDS)
        return { perSecond, p50Ms, p99Ms, commands }
      }
      return { at: { way, store: 'Redis', callers }, run }
    }),
  )
  return medians([...inMemory, ...onRedis], rounds)
}

async function contend(exclusive: Exclusive, callers: number): Promise<Record<string, number>> {
  const waitsMs: number[] = []
  const startedAtMs = performance.now()
  const countsFrom = startedAtMs + 500
  const endMs = countsFrom + SECONDS * 1_000
  const caller = async () => {
    for (let askedMs = startedAtMs; askedMs < endMs; ) {
      await exclusive(async () => {
        const startMs = performance.now()
        if (startMs > countsFrom && startMs < endMs) waitsMs.push(startMs - askedMs)
      })
      askedMs = performance.now()
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  return { perSecond: waitsMs.length / SECONDS, p50Ms: median(waitsMs), p99Ms: quantile(waitsMs, 0.99) }
}
