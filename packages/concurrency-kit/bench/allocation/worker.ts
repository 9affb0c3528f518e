/** A process that runs sections and tells what each has allocated. */
import { GCProfiler } from 'node:v8'
import { Redis } from 'ioredis'
import { memoryWays } from '../memory-lock.ts'
import { type WayName, ways } from '../redis-locks/ways.ts'

export interface Job {
  readonly way: string
  /** Where it is not in memory. */
  readonly redisUrl?: string
  readonly callers: number
  readonly distinctKeys: boolean
}

/** As many as fit into the young generation by far. */
const SECTIONS = { inMemory: 20_000, onRedis: 3_000 }

function exclusiveBy({ way, redisUrl }: Job): (key: string, section: () => Promise<void>) => Promise<unknown> {
  if (redisUrl !== undefined) return ways[way as WayName](new Redis(redisUrl)).exclusive
  const exclusive = memoryWays()[way]
  if (exclusive === undefined) throw new TypeError(`no such way: ${way}`)
  return (_key, section) => exclusive(section)
}

async function bytesPerSection(job: Job): Promise<number> {
  const exclusive = exclusiveBy(job)
  const sections = job.redisUrl === undefined ? SECTIONS.inMemory : SECTIONS.onRedis
  const run = async () => {
    let left = sections
    const caller = async (key: string) => {
      while (left > 0) {
        left -= 1
        await exclusive(key, async () => {})
      }
    }
    const keys = Array.from({ length: job.callers }, (_, index) => (job.distinctKeys ? `bench:${index}` : 'bench'))
    await Promise.all(keys.map(caller))
  }
  // What is compiled, connected and pooled once is there by then.
  for (let round = 0; round < 8; round += 1) await run()
  globalThis.gc?.()
  const collections = new GCProfiler()
  collections.start()
  const before = allocated()
  await run()
  const after = allocated()
  if (collections.stop().statistics.length > 0) throw new Error('garbage was collected meanwhile')
  return (after - before) / sections
}

function allocated(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

process.once('message', async (job: Job) => {
  const bytes = await bytesPerSection(job)
  process.send?.(bytes, () => process.exit())
})
