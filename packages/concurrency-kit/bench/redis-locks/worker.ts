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
  readonly waitsMs: readonly number[]
  readonly spans: readonly (readonly [startMs: number, endMs: number])[]
}

const now = () => performance.timeOrigin + performance.now()

async function work(job: Job): Promise<Sections> {
  const client = new Redis(job.redisUrl)
  const way = ways[job.way](client)
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
        if (job.sectionMs > 0) await setTimeout(job.sectionMs)
        if (startMs < countsFrom || startMs > endMs) return
        waitsMs.push(startMs - askedMs)
        spans.push([startMs, now()])
      })
      if (job.pauseMs > 0) await setTimeout(job.pauseMs)
    }
  }
  await Promise.all(Array.from({ length: job.callers }, (_, index) => caller(index)))
  await way.close?.()
  client.disconnect()
  return { waitsMs, spans }
}

process.once('message', async (job: Job) => {
  process.send?.(await work(job))
  process.disconnect()
})
