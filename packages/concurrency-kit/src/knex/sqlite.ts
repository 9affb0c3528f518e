import type { Signal } from '../abort.ts'
import { backOff } from '../time/backoff.ts'
import { type Environment, systemEnvironment } from '../time/clock.ts'
import { asStoreError, isBusy } from './knex-client.ts'

/** The database's clock in ms since the Unix epoch. */
export const NOW_MS = `CAST(round(unixepoch('subsec') * 1000) AS INTEGER)`

/** The database's clock as text that sorts as it reads, such as `2026-11-26 22:00:00.123`, in UTC. */
export const NOW_TEXT = `strftime('%Y-%m-%d %H:%M:%f', 'now')`

/** A binding that is to be an integer: better-sqlite3 binds every number as a floating-point one. */
export const INTEGER = 'CAST(? AS INTEGER)'

/** {@link NOW_TEXT} that many ms from now; takes {@link secondsFromNow} as its binding. */
export const LATER_TEXT = `strftime('%Y-%m-%d %H:%M:%f', 'now', ?)`

export function secondsFromNow(ms: number): string {
  return `+${(ms / 1000).toFixed(3)} seconds`
}

const BUSY = { baseMs: 1, capMs: 20 }

/** Longest wait for a file that another process writes, in ms, where the caller has no deadline of its own. */
const BUSY_MS = 2_000

/**
 * Repeats a command that found the file being written by another process, until `signal` aborts.
 *
 * SQLite's own busy time-out would stop the event loop meanwhile.
 *
 * @throws StoreError the command failed, or the file was busy all the time. A `TypeError` comes through as it is.
 */
export async function whileBusy<Result>(
  what: string,
  command: () => Promise<Result>,
  signal: Signal = AbortSignal.timeout(BUSY_MS),
  environment: Environment = systemEnvironment,
): Promise<Result> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await command()
    } catch (error) {
      if (error instanceof TypeError) throw error
      if (!isBusy(error) || signal.aborted) throw asStoreError(what, error)
      await backOff(BUSY, tried, environment, signal).catch(() => {})
    }
  }
}
