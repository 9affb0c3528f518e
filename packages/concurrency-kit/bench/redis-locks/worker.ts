/** One process of a benchmark: callers who want their key again and again. Told what to do, and tells, by IPC. */
import { setTimeout } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { HandOffBound } from '../../src/lock/lock-store.ts'
import { onLeaseTable, type Way, type WayName, ways } from './ways.ts'

export interface Job {
  readonly way: WayName
  readonly redisUrl: string
  /** The kit is on the lease table there, instead of on Redis. */
  readonly databaseUrl?: string
  readonly handOff?: HandOffBound
  readonly callers: number
  /** A key for each caller, or the one key of all. */
  readonly key: string
  readonly distinctKeys: boolean
  /** How long a section takes, by a timer; 0 ends it at once. */
  readonly sectionMs: number
  /** Pause of a caller between two sections. */
  readonly pauseMs: number
  readonly warmUpMs: number
  readonly runMs: number
}

/** Times are in ms, comparable between processes of one machine. */
export interface Sections {
  /** Sent by all clients of the process, for every section, those of the warm-up too. */
  readonly commandsPerSection: number
  readonly waitsMs: readonly number[]
  readonly spans: readonly (readonly [startMs: number, endMs: number])[]
  /** How many of them each caller had. */
  readonly byCaller: readonly number[]
}

// The clock that all processes of a machine share: `performance.timeOrigin` is each one’s own reading of another.
const now = () => Number(process.hrtime.bigint()) / 1e6

async function work(job: Job): Promise<Sections> {
  const onRedis: (client: Redis, handOff?: HandOffBound) => Way = ways[job.way]
  const way =
    job.databaseUrl === undefined ? onRedis(new Redis(job.redisUrl), job.handOff) : await onLeaseTable(job.databaseUrl)
  const { sendCommand } = Redis.prototype
  let commands = 0
  let sections = 0
  Redis.prototype.sendCommand = function (...args) {
    commands += 1
    return sendCommand.apply(this, args)
  }
  const waitsMs: number[] = []
  const spans: [number, number][] = []
  const byCaller = Array.from({ length: job.callers }, () => 0)
  const countsFrom = now() + job.warmUpMs
  const endMs = countsFrom + job.runMs
  const caller = async (index: number) => {
    const key = job.distinctKeys ? `${job.key}:${index}` : job.key
    while (now() < endMs) {
      const askedMs = now()
      await way.exclusive(key, async () => {
        const startMs = now()
        sections += 1
        if (job.sectionMs > 0) await setTimeout(job.sectionMs)
        if (startMs < countsFrom || now() > endMs) return
        waitsMs.push(startMs - askedMs)
        spans.push([startMs, now()])
        byCaller[index] = (byCaller[index] ?? 0) + 1
      })
      if (job.pauseMs > 0) await setTimeout(job.pauseMs)
    }
  }
  for (let index = 0; index < job.callers; index += 1) void caller(index)
  await setTimeout(job.warmUpMs + job.runMs)
  return { commandsPerSection: commands / sections, waitsMs, spans, byCaller }
}

// Whoever still waits by then is not waited for: the slowest would take minutes to serve them all.
process.once('message', async (job: Job) => {
  const sections = await work(job)
  process.send?.(sections, () => process.exit())
})
