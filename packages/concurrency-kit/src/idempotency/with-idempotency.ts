import { events, traced, traces } from '../events.ts'
import { functionOption, objectWith, oneOf, wholeNumber } from '../options.ts'
import { type Environment, systemEnvironment } from '../time/clock.ts'
import type { Codec } from './codec.ts'
import { Flights } from './flights.ts'
import { type CheckedRun, checkRun, type LeasedOptions, type TransactionalOptions } from './idempotency-options.ts'
import type { LeasedIdempotencyStore, TransactionalIdempotencyStore } from './idempotency-store.ts'
import type { JsonCompatible } from './json-value.ts'
import { type LeasedContext, runLeased } from './leased-run.ts'
import { decode } from './settlement.ts'
import { runTransactional, type Settled, type TransactionalContext } from './transactional-run.ts'

/**
 * Runs `handler` once under an idempotency key, and answers every later call with the stored result.
 *
 * On a transactional store the handler's effects through `transaction` and the record commit together: exactly once in
 * that database. On a leased store it is at least or at most once, as `onAmbiguous` says. Errors of the handler come
 * through as thrown and leave no record, unless `finalErrors` names them.
 *
 * On a leased store a thrown error does not tell whether the effect happened. The key becomes ambiguous, as if the process had
 * died, unless the error is a `NoEffectError` or `hadNoEffect` returns `true` for it. With `'rerun'` every error frees the key,
 * because the next call runs again in any case. The exceptions are an `AmbiguousOutcomeError` and the reason of the handler's own
 * `signal`.
 *
 * Calls in this process join a run of the same key. Calls with another payload wait until the run ends, because only a record
 * rejects a payload. The first call, too, resolves to the stored value as it is read back.
 *
 * @param options.waitMs - Longest wait in ms for another run under the key, integer >= 0. @defaultValue 5_000
 * @param options.retentionMs - How long the record is replayed, in ms, at most 100 years. @defaultValue 86_400_000 (24 h)
 * @param options.maxAttempts - Transactional: how often the whole attempt is run at most. @defaultValue 10
 * @param options.leaseMs - Leased: how long a silent owner counts as alive, in ms. @defaultValue 30_000
 * @param options.onAmbiguous - Leased, required: `'rerun'`, `'refuse'` or a probe.
 * @param options.hadNoEffect - Leased: returns whether an error means that nothing happened. @defaultValue true with `'rerun'`,
 *   else false
 * @param options.reentrance - `'wait'` joins a run that this asynchronous context already runs. @defaultValue 'refuse'
 * @param options.signal - Ends waiting and backing off; never a handler or a commit that has begun.
 * @throws TypeError, RangeError for bad options or a payload that is not JSON; nothing ran.
 * @throws FingerprintMismatchError the key was used with another payload; nothing ran.
 * @throws IdempotencyInProgressError another run did not end within `waitMs`; this call's handler did not run.
 * @throws ResultNotSerializableError the result is not JSON; rolled back, or its key is ambiguous.
 * @throws TransactionRetriesError every attempt met another transaction; nothing happened.
 * @throws AmbiguousOutcomeError it cannot be known whether the effect happened.
 * @throws StoreError the store failed; transactional: nothing happened.
 * @see draft-ietf-httpapi-idempotency-key-header
 * @example
 * const receipt = await withIdempotency({ store, key, payload: order }, ({ transaction }) => place(order, transaction))
 */
export function withIdempotency<Transaction, Result>(
  options: TransactionalOptions<Transaction, Result> & StorableBy<NoInfer<Result>>,
  handler: (context: TransactionalContext<Transaction>) => Result | PromiseLike<Result>,
): Promise<Result>
export function withIdempotency<Result>(
  options: LeasedOptions<Result> & StorableBy<NoInfer<Result>>,
  handler: (context: LeasedContext) => Result | PromiseLike<Result>,
): Promise<Result>
/** Covers both kinds of store: TypeScript 7 reports only the last overload's error, and this overload reports the right one. */
export function withIdempotency<Store extends AnyStore, Result>(
  options: { readonly store: Store } & OptionsOf<Store, Result> & StorableBy<NoInfer<Result>>,
  handler: (context: ContextOf<Store>) => Result | PromiseLike<Result>,
): Promise<Result>
export async function withIdempotency<Transaction, Result>(
  options: TransactionalOptions<Transaction, Result> | LeasedOptions<Result>,
  handler: Handler<Transaction, Result>,
): Promise<Result> {
  const run = checkRun<Result>(options)
  functionOption('handler', handler)
  const attempts = attemptsOf(options, run, handler)
  const { store } = options
  const { scope, key } = run
  return traced(
    traces.idempotency,
    () => ({ store: store.name, scope, key }),
    () => share(store, run, attempts),
  )
}

/** Requires a codec for a result that JSON cannot represent. */
type StorableBy<Result> = [Result] extends [JsonCompatible<Result>] ? unknown : { readonly codec: Codec<Result> }

// biome-ignore lint/suspicious/noExplicitAny: a store of any transaction
type AnyStore = TransactionalIdempotencyStore<any> | LeasedIdempotencyStore

type OptionsOf<Store, Result> =
  Store extends TransactionalIdempotencyStore<infer Transaction>
    ? TransactionalOptions<Transaction, Result>
    : LeasedOptions<Result>

type ContextOf<Store> =
  Store extends TransactionalIdempotencyStore<infer Transaction> ? TransactionalContext<Transaction> : LeasedContext

/** The overloads have paired it with its kind of store. */
type Handler<Transaction, Result> = (
  context: TransactionalContext<Transaction> & LeasedContext,
) => Result | PromiseLike<Result>

/** Checks the options of the store's kind, and gives the run by itself. */
function attemptsOf<Transaction, Result>(
  options: TransactionalOptions<Transaction, Result> | LeasedOptions<Result>,
  run: CheckedRun<Result>,
  handler: Handler<Transaction, Result>,
): (waitMs: number) => Promise<Settled> {
  if (isTransactional(options)) {
    objectWith('store', options.store, ['attempt'])
    for (const name of ['onAmbiguous', 'hadNoEffect']) {
      if (name in options)
        throw new TypeError(`${name} is only for leased stores: a transactional store knows every outcome`)
    }
    const maxAttempts = wholeNumber('maxAttempts', options.maxAttempts ?? 10, 1, 1_000)
    return (waitMs) =>
      runTransactional(
        options.store,
        { ...run, waitMs },
        maxAttempts,
        handler as (context: TransactionalContext<Transaction>) => Result,
      )
  }
  objectWith('store', options.store, ['claim', 'renew', 'complete', 'abandon'])
  const { onAmbiguous, hadNoEffect } = options
  if (typeof onAmbiguous !== 'function') oneOf('onAmbiguous', onAmbiguous, ['rerun', 'refuse', 'a function'])
  if (hadNoEffect !== undefined) functionOption('hadNoEffect', hadNoEffect)
  const leaseMs = wholeNumber('leaseMs', options.leaseMs ?? 30_000, 1)
  return (waitMs) =>
    runLeased(
      options.store,
      { ...run, waitMs },
      { onAmbiguous, leaseMs, hadNoEffect: hadNoEffect ?? (() => onAmbiguous === 'rerun') },
      handler as (context: LeasedContext) => Result,
    )
}

function isTransactional<Transaction, Result>(
  options: TransactionalOptions<Transaction, Result> | LeasedOptions<Result>,
): options is TransactionalOptions<Transaction, Result> {
  return options.store.kind === 'transactional'
}

async function share<Result>(
  store: { readonly name: string; readonly environment?: Environment },
  run: CheckedRun<Result>,
  attempts: (waitMs: number) => Promise<Settled>,
): Promise<Result> {
  const { scope, key, signal, onReplay } = run
  const { clock } = store.environment ?? systemEnvironment
  const startedAtMs = clock.monotonicMs()
  try {
    signal?.throwIfAborted()
    let replayed = true
    const { settlement, joined } = await Flights.of(store).share(run, clock, async (waitMs) => {
      const settled = await attempts(waitMs)
      replayed = settled.replayed
      if (!replayed && events.idempotency.completed.hasSubscribers) {
        const durationMs = clock.monotonicMs() - startedAtMs
        events.idempotency.completed.publish({ store: store.name, scope, key, attempts: settled.attempts, durationMs })
      }
      return settled.settlement
    })
    if (replayed) {
      if (events.idempotency.replayed.hasSubscribers) {
        events.idempotency.replayed.publish({ store: store.name, scope, key, joined })
      }
      onReplay?.({ joined })
    }
    return decode(settlement, run)
  } catch (error) {
    if (events.idempotency.failed.hasSubscribers) {
      events.idempotency.failed.publish({ store: store.name, scope, key, error })
    }
    throw error
  }
}
