import { measure } from '../redis-locks/measure.ts'
import { medians, type Point } from './medians.ts'
import type { Row } from './results.ts'
import type { Servers } from './servers.ts'

const SECTIONS = [8, 32, 128, 1_024]
const MS = [5, 10, 25, 50, 100, 200]
const SECONDS = 1.5

/** How far a lease may be handed on: 4 processes of 16 callers on Redis, under each pair of bounds. */
export function measureHandOff(rounds: number, { redisUrl }: Servers): Promise<Row[]> {
  const points = [1, 0].flatMap((sectionMs) =>
    SECTIONS.flatMap((maxSections) =>
      MS.map((maxMs): Point => {
        const where = { way: 'concurrency-kit', redisUrl, handOff: { maxSections, maxMs } } as const
        const run = async () => {
          const scenario = { processes: 4, callers: 16, sectionMs }
          const { perSecond, p50Ms, p99Ms, jain, commands } = await measure(where, scenario, SECONDS)
          return { perSecond, p50Ms, p99Ms, jain, commands }
        }
        return { at: { way: 'concurrency-kit', sectionMs, maxSections, maxMs }, run }
      }),
    ),
  )
  return medians(points, rounds)
}
