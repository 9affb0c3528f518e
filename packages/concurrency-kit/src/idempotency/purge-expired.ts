import type { Signal } from '../abort.ts'
import { functionOption, objectWith, shown, signalOption, wholeNumber } from '../options.ts'
import { pause } from '../time/backoff.ts'
import { systemEnvironment } from '../time/clock.ts'
import type { LeasedIdempotencyStore, TransactionalIdempotencyStore } from './idempotency-store.ts'

export interface PurgeProgress {
  /** Records deleted so far. */
  readonly deleted: number
  /** Of those, in the latest batch. */
  readonly batch: number
  /** How long the latest batch took, in ms. */
  readonly tookMs: number
}

export interface PurgeOptions {
  // biome-ignore lint/suspicious/noExplicitAny: a store of any transaction will do, none is opened
  readonly store: TransactionalIdempotencyStore<any> | LeasedIdempotencyStore
  /** How long a batch should take, in ms, integer >= 1; its size follows, from 100 records to 10 000. @defaultValue 20 */
  readonly batchMs?: number
  /** Called after each batch; what it throws ends the purge and comes through. */
  readonly onProgress?: (progress: PurgeProgress) => void
  /** Ends the purge after the batch that is under way. */
  readonly signal?: Signal
}

/** So few cost next to nothing beside the way to the server, which may itself take longer than a batch should. */
const LEAST = 100
const MOST = 10_000

/**
 * Deletes the expired records of a store, and resolves to how many there were: for a job that runs now and then.
 *
 * Small batches, each committed by itself, and after each as long a rest: calls of `withIdempotency` go on meanwhile, and
 * only one for a record that is just being deleted waits for that batch. Correctness never needs it: an expired record counts as
 * absent. Ended early, by whatever, it has deleted what it has told of.
 *
 * @throws TypeError, RangeError for bad options; nothing was deleted.
 * @throws StoreError a batch failed.
 * @example
 * setInterval(() => purgeExpired({ store }).catch(report), 600_000)
 */
export async function purgeExpired(options: PurgeOptions): Promise<number> {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`options must be an object, but is ${shown(options)}`)
  const { store, batchMs = 20, onProgress, signal } = options
  objectWith('store', store, ['purge'])
  wholeNumber('batchMs', batchMs, 1)
  if (onProgress !== undefined) functionOption('onProgress', onProgress)
  signalOption(signal)
  const { clock } = store.environment ?? systemEnvironment
  for (let deleted = 0, limit = LEAST; ; ) {
    signal?.throwIfAborted()
    const startMs = clock.monotonicMs()
    const batch = await store.purge({ limit })
    const tookMs = clock.monotonicMs() - startMs
    deleted += batch
    onProgress?.({ deleted, batch, tookMs })
    if (!(batch >= limit)) return deleted
    // No more than twice as large at once: the last batch may have been lucky.
    limit = Math.min(MOST, Math.max(LEAST, Math.floor(limit * Math.min(2, batchMs / tookMs))))
    await pause(tookMs, clock, signal)
  }
}
