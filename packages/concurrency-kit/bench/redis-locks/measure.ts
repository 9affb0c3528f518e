import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import path from 'node:path'
import { median, quantile } from '../rounds.ts'
import type { Job, Sections } from './worker.ts'

const WARM_UP_MS = 500

export interface Scenario {
  readonly processes: number
  /** In each process. */
  readonly callers: number
  readonly distinctKeys?: boolean
  readonly sectionMs: number
  readonly pauseMs?: number
}

export interface Measured {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly longestMs: number
  /** Jain's index over the sections of the processes: 1 is equal shares. */
  readonly jain: number
  /** The same over all callers of all processes. */
  readonly callersJain: number
  /** From the end of a section to the start of the next one in another process. */
  readonly handOffMs: number
  /** Sent to Redis per section. */
  readonly commands: number
}

export type Where = Pick<Job, 'way' | 'redisUrl' | 'databaseUrl' | 'handOff'>

/** What the callers of a scenario get done in `seconds`, in processes of their own. */
export async function measure(where: Where, scenario: Scenario, seconds: number): Promise<Measured> {
  const { processes, callers, distinctKeys = false, sectionMs, pauseMs = 0 } = scenario
  const key = `bench:${randomUUID()}`
  const runMs = seconds * 1000
  const job: Job = { ...where, callers, key, distinctKeys, sectionMs, pauseMs, warmUpMs: WARM_UP_MS, runMs }
  const results = await Promise.all(Array.from({ length: processes }, () => inProcess(job)))
  const counts = results.map(({ spans }) => spans.length)
  const all = results.flatMap(({ spans }, process) => spans.map(([startMs, endMs]) => ({ startMs, endMs, process })))
  all.sort((a, b) => a.startMs - b.startMs)
  if (!distinctKeys) refuseOverlaps(where.way, all)
  const handOffs = all.flatMap((section, index) => {
    const earlier = all[index - 1]
    return earlier !== undefined && earlier.process !== section.process ? [section.startMs - earlier.endMs] : []
  })
  const waits = results.flatMap(({ waitsMs }) => waitsMs)
  const total = all.length
  return {
    perSecond: total / seconds,
    p50Ms: median(waits),
    p99Ms: quantile(waits, 0.99),
    longestMs: waits.reduce((longest, wait) => Math.max(longest, wait), 0),
    jain: jain(counts),
    callersJain: jain(results.flatMap(({ byCaller }) => byCaller)),
    handOffMs: median(handOffs),
    commands: results.reduce((sum, each) => sum + each.commandsPerSection * (each.spans.length / total), 0),
  }
}

/** Jain's index of fairness: 1 where all have the same, 1/n where one has everything. */
function jain(shares: readonly number[]): number {
  const total = shares.reduce((sum, share) => sum + share, 0)
  return total ** 2 / (shares.length * shares.reduce((sum, share) => sum + share ** 2, 0))
}

/** Nothing is worth measuring that does not exclude. */
function refuseOverlaps(way: string, sections: readonly { startMs: number; endMs: number }[]): void {
  const overlaps = sections.filter(({ startMs }, index) => startMs < (sections[index - 1]?.endMs ?? 0) - 0.5)
  if (overlaps.length > 0) console.log(`  ${way}: ${overlaps.length} sections began before the one before had ended`)
}

async function inProcess(job: Job): Promise<Sections> {
  const child = fork(path.join(import.meta.dirname, 'worker.ts'), { serialization: 'advanced' })
  child.send(job)
  const [sections] = await once(child, 'message')
  return sections as Sections
}
