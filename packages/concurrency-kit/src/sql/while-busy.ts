import type { Signal } from '../abort.ts'
import { backOff } from '../time/backoff.ts'
import { type Environment, systemEnvironment } from '../time/clock.ts'
import { asStoreError, passes } from './errors.ts'

const BUSY = { baseMs: 1, capMs: 20 }

/** Longest wait for a database that has no room, in ms, where the caller has no deadline of its own. */
const BUSY_MS = 2_000

/**
 * Repeats a command that another transaction kept from doing anything, until `signal` aborts.
 *
 * A SQLite file is busy while another process writes it, and SQLite's own busy time-out would stop the event loop
 * meanwhile; on Postgres a statement by itself can meet a deadlock.
 *
 * @throws StoreError the command failed, or there was no room all the time. A `TypeError` comes through as it is.
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
      if (!passes(error) || signal.aborted) throw asStoreError(what, error)
      await backOff(BUSY, tried, environment, signal).catch(() => {})
    }
  }
}
