import type { Signal } from '../abort.ts'
import {
  AmbiguousOutcomeError,
  FingerprintMismatchError,
  IdempotencyInProgressError,
  isFingerprintMismatchError,
  StoreError,
  TransactionRetriesError,
} from '../errors.ts'
import { events } from '../events.ts'
import { backOff } from '../time/backoff.ts'
import { systemEnvironment } from '../time/clock.ts'
import type { CheckedRun } from './idempotency-options.ts'
import type { Settlement, TransactionalIdempotencyStore } from './idempotency-store.ts'
import { settle } from './settlement.ts'

export interface TransactionalContext<Transaction> {
  /** Everything done through it commits together with the record, or not at all. */
  readonly transaction: Transaction
  readonly signal: Signal | undefined
  /** Which run of the handler this is, from 1: an attempt that was rolled back is run again. */
  readonly attempt: number
}

/** A settlement, and whether it was there before this call. */
export interface Settled {
  readonly settlement: Settlement
  readonly replayed: boolean
  readonly attempts: number
}

/** Pauses between attempts that met another transaction; no connection is held meanwhile. */
const RERUN = { baseMs: 5, capMs: 200 }
const BUSY = { baseMs: 2, capMs: 25 }

/** Longest wait for a COMMIT that was not answered to be decided, in ms, where the caller's own wait is over. */
const COMMIT_MS = 1_000

/** Attempts until one commits, finds the record, or there have been enough. */
export async function runTransactional<Transaction, Result>(
  store: TransactionalIdempotencyStore<Transaction>,
  run: CheckedRun<Result>,
  maxAttempts: number,
  handler: (context: TransactionalContext<Transaction>) => Result | PromiseLike<Result>,
): Promise<Settled> {
  const last = { ambiguous: false }
  try {
    return await attemptUntilDone(store, run, maxAttempts, last, handler)
  } catch (error) {
    // Whatever ended it, even the caller's signal: nobody has said what became of the COMMIT.
    if (!last.ambiguous || isFingerprintMismatchError(error)) throw error
    throw new AmbiguousOutcomeError(run.key, 'a COMMIT was not answered, and the store did not say later', {
      cause: error,
    })
  }
}

async function attemptUntilDone<Transaction, Result>(
  store: TransactionalIdempotencyStore<Transaction>,
  run: CheckedRun<Result>,
  maxAttempts: number,
  /** Whether a COMMIT was not answered, and nothing since has said what became of it. */
  last: { ambiguous: boolean },
  handler: (context: TransactionalContext<Transaction>) => Result | PromiseLike<Result>,
): Promise<Settled> {
  const environment = store.environment ?? systemEnvironment
  const { key, scope, signal } = run
  const endMs = environment.clock.monotonicMs() + run.waitMs
  const request = { ...run, finalErrors: run.finalErrors !== undefined }
  let settlement: Settlement | undefined
  for (let attempt = 1, busy = 0; ; ) {
    signal?.throwIfAborted()
    const leftMs = Math.max(0, Math.ceil(endMs - environment.clock.monotonicMs()))
    const waitMs = last.ambiguous ? Math.max(leftMs, COMMIT_MS) : leftMs
    const mayShare = attempt === 1 && maxAttempts > 1
    const answer = await store.attempt({ ...request, waitMs, mayShare }, async (transaction) => {
      // Its claim was granted: the COMMIT that was not answered has not happened.
      last.ambiguous = false
      settlement = await settle(run, () => handler({ transaction, signal, attempt }))
      return settlement
    })
    switch (answer.status) {
      case 'completed':
        return { settlement: settlement as Settlement, replayed: false, attempts: attempt }
      case 'replay':
        if (answer.record.fingerprint !== run.fingerprint) throw new FingerprintMismatchError(key)
        // After an ambiguous commit the record that is found is most likely this call's own.
        return { settlement: answer.record, replayed: !last.ambiguous, attempts: attempt }
      case 'in_progress':
        throw new IdempotencyInProgressError(key, `another process runs it, and did not end within ${run.waitMs} ms`)
      case 'busy':
        busy += 1
        if (leftMs === 0) {
          throw new StoreError(`${store.name} had no room within ${run.waitMs} ms`, {
            cause: answer.cause,
            transient: true,
          })
        }
        if (events.idempotency.busy.hasSubscribers) {
          events.idempotency.busy.publish({ store: store.name, scope, key, cause: answer.cause })
        }
        await backOff(BUSY, busy, environment, signal)
        break
      case 'retry':
        last.ambiguous ||= answer.ambiguous === true
        if (attempt === maxAttempts) throw new TransactionRetriesError(attempt, { cause: answer.cause })
        if (events.idempotency.retried.hasSubscribers) {
          events.idempotency.retried.publish({ store: store.name, scope, key, attempt, cause: answer.cause })
        }
        await backOff(RERUN, attempt, environment, signal)
        attempt += 1
    }
  }
}
