import type { AcquireRequest, AcquireResult } from '../../lock-store.ts'
import { PLACE_MS } from '../../places.ts'

/** What a database does differently on a table of leases; one attempt each, and any error as the driver throws it. */
export interface LeaseTable {
  /** Who is refused is queued as `waiter`, unless that is ''. */
  acquire(request: AcquireRequest, waiter: string): Promise<Attempt>
  /** False when there is no live lease of `holder`. */
  extend(key: string, holder: string, ttlMs: number): Promise<boolean>
  /**
   * Takes `waiter` out of the queue, and keeps the key for the first of the others for a moment, if `holder` or the turn
   * of `waiter` has it. False when there was no lease of `holder`. Costs least if `others` says whether anybody waits.
   */
  release(key: string, holder: string, waiter: string, others: boolean): Promise<boolean>
  /** Takes `waiter` out of the queue, and gives its turn on if it has it. */
  leave(key: string, waiter: string): Promise<unknown>
}

/** And how many wait before whom was queued. */
export type Attempt = AcquireResult & { readonly ahead?: number }

/** A place is prolonged when it has less than this left of its time, in ms: not each time that somebody asks. */
export const PROLONG_MS = PLACE_MS - 1_000
