import path from 'node:path'
import { quantile } from '../../bench/rounds.ts'
import { inProcesses } from '../support/workers.ts'
import type { Place } from './places.ts'
import type { Job, Report } from './worker.ts'

export interface Contention {
  /** Of all processes together. */
  readonly writers: number
  readonly increments: number
  readonly fallback: boolean
}

export interface Outcome {
  readonly exact: boolean
  readonly perSecond: number
  /** Of each increment, on average. */
  readonly attempts: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly longestMs: number
  /** What each increment would wait if the writers took turns: their number times the mean time of one. */
  readonly fairMs: number
}

/** Writers in several processes count one row up, each as soon as its last increment is stored. */
export async function contend(place: Place, { writers, increments, fallback }: Contention): Promise<Outcome> {
  const { address, close } = await place.open()
  try {
    const share = Math.ceil(writers / place.processes)
    const job: Job = { storeName: place.name, address, writers: share, increments, fallback }
    const jobs = Array.from({ length: place.processes }, () => job)
    const { reports, tookMs } = await inProcesses<Report>(path.join(import.meta.dirname, 'worker.ts'), jobs)
    const waitsMs = reports.flatMap((report) => report.waitsMs)
    return {
      // The process that is done last sees them all.
      exact: Math.max(...reports.map(({ count }) => count)) === waitsMs.length,
      perSecond: (waitsMs.length / tookMs) * 1_000,
      attempts: reports.reduce((sum, { attempts }) => sum + attempts, 0) / waitsMs.length,
      p50Ms: quantile(waitsMs, 0.5),
      p99Ms: quantile(waitsMs, 0.99),
      longestMs: waitsMs.reduce((longest, wait) => Math.max(longest, wait), 0),
      fairMs: (share * place.processes * tookMs) / waitsMs.length,
    }
  } finally {
    await close()
  }
}
