/** One process of a benchmark: callers who want their key again and again. Told what to do, and tells, by IPC. */
import { setTimeout } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { type WayName, ways } from './ways.ts'

export interface Job {
  readonly way: WayName
  readonly redisUrl: string
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
}

// The clock that all processes of a machine share: `performance.timeOrigin` is each one’s own reading of another.
const now = () => Number(process.hrtime.bigint()) / 1e6

async function work(job: Job): Promise<Sections> {
  const client = new Redis(job.redisUrl)
  const way = ways[job.way](client)
  const { sendCommand } = Redis.prototype
  let commands = 0
  let sections = 0
  Redis.prototype.sendCommand = function (...args) {
    commands += 1
    return sendCommand.apply(this, args)
  }
  const waitsMs: number[] = []
  const spans: [number, number][] = []
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
      })
      if (job.pauseMs > 0) await setTimeout(job.pauseMs)
    }
  }
  for (let index = 0; index < job.callers; index += 1) void caller(index)
  await setTimeout(job.warmUpMs + job.runMs)
  return { commandsPerSection: commands / sections, waitsMs, spans }
}

// Whoever still waits by then is not waited for: the slowest would take minutes to serve them all.
process.once('message', async (job: Job) => {
  const sections = await work(job)
  process.send?.(sections, () => process.exit())
})
