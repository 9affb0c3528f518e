import type { Signal } from '../abort.ts'
import { traced, traces } from '../events.ts'
import { functionOption, objectWith, oneOf, shown, signalOption, wholeNumber } from '../options.ts'
import type { Backoff } from '../time/backoff.ts'
import { type Change, UpdateRun } from './update-run.ts'
import type { VersionedStore } from './versioned-store.ts'

export interface OptimisticUpdateOptions<Id, Value, Version> {
  readonly store: VersionedStore<Id, Value, Version>
  readonly id: NoInfer<Id>
  /** How often to read and try to write, integer from 1 to 1_000. @defaultValue 10 */
  readonly maxAttempts?: number
  /**
   * After so many failed attempts, integer from 1 to 1_000, a synchronous `change` runs under the row's lock, if the store can;
   * at once where others of this process do so already: they stand in line. From `maxAttempts` on never. @defaultValue 3
   */
  readonly lockAfter?: number
  /**
   * Bounds of the full-jitter pause after a failed attempt, in ms, integers from 0 to 60_000: the ceiling doubles from
   * `baseMs` to `capMs`. @defaultValue 2 and 50
   */
  readonly backoff?: Partial<Backoff>
  /**
   * Runs `change` twice on the first attempt, and refuses one that makes something else, or writes to its value.
   *
   * It does not see what changes later than that, nor what `change` does elsewhere. @defaultValue true where `NODE_ENV` is
   * `development`
   */
  readonly checkPurity?: boolean
  /** Ends the wait for a connection, for the row and between attempts: the call rejects with its `reason`. Never ends a write in flight. */
  readonly signal?: Signal | undefined
}

/**
 * Reads a row, changes it, and writes it only if nobody else has meanwhile; on a conflict reads again.
 *
 * No update is lost: a write happens only on the version that was read. `change` gets a frozen value and must be pure: it
 * returns a new one, and its error is a `TypeError` where it writes to the old one, but in sloppy mode JavaScript tells nobody.
 * What a `Map`, `Set`, `Date` or typed array holds cannot be frozen. `options.checkPurity` sees both while you develop.
 * Inside a transaction (`store.within(transaction)`) nothing pauses: after a conflict the row is read again under its
 * lock, and failures that the whole transaction must answer go up to whoever owns it.
 *
 * @param options.maxAttempts - How often to read and try to write, integer from 1 to 1_000. @defaultValue 10
 * @param options.lockAfter - Failed attempts after which a synchronous `change` runs under the row's lock, where the
 *   store can, in line with others of this process; from `maxAttempts` on never. @defaultValue 3
 * @param options.backoff - Bounds of the pause between attempts, in ms. @defaultValue `{ baseMs: 2, capMs: 50 }`
 * @param options.checkPurity - Runs `change` twice on the first attempt and compares. @defaultValue true where `NODE_ENV` is
 *   `development`
 * @param options.signal - Ends the wait for a connection, for the row and between attempts; rejects with its reason. Never ends a
 *   write in flight.
 * @returns the value as stored; the one that was read, where `change` returned it unchanged.
 * @throws TypeError, RangeError for bad options; a `change` that returned another kind of value; a value that the store cannot give
 *   back unchanged, such as `undefined` or `NaN`; or a `change` that was found to be impure. Nothing was written.
 * @throws RowNotFoundError there is no such row, or it has gone meanwhile, and then `expectedVersion` is what it had; nothing was
 *   written. A row that was replaced meanwhile is read again.
 * @throws VersionConflictError every attempt met a newer version; nothing was written.
 * @throws StoreError the store failed, or several rows share the id. Unless it is `transient` or its message says so, it is unknown
 *   whether the last write happened. If `fromRow` threw on the row that was written, the message says that it was written, and
 *   `cause` is that error.
 * @throws whatever `change` throws, as it is; nothing was written.
 * @see Kung & Robinson 1981 (optimistic concurrency control); Brooker 2015 (full jitter)
 * @example
 * await optimisticUpdate({ store: accounts, id: 1 }, (account) => ({ ...account, balance: account.balance + 100 }))
 */
export async function optimisticUpdate<Id, Value, Version>(
  options: OptimisticUpdateOptions<Id, Value, Version>,
  change: Change<NoInfer<Value>, NoInfer<Version>>,
): Promise<Value> {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`options must be an object, but is ${shown(options)}`)
  const { store, id, maxAttempts = 10, lockAfter = 3, backoff = {}, signal } = options
  const { checkPurity = process.env['NODE_ENV'] === 'development' } = options
  objectWith('store', store, ['read', 'compareAndSet'])
  wholeNumber('maxAttempts', maxAttempts, 1, 1_000)
  wholeNumber('lockAfter', lockAfter, 1, 1_000)
  oneOf('checkPurity', checkPurity, [true, false])
  signalOption(signal)
  functionOption('change', change)
  const run = new UpdateRun(
    { store, id, maxAttempts, lockAfter, backoff: checkBackoff(backoff), checkPurity, signal },
    change,
  )
  return traced(
    traces.optimistic,
    () => ({ store: store.name, id }),
    () => run.result(),
  )
}

function checkBackoff(backoff: Partial<Backoff>): Backoff {
  objectWith('backoff', backoff, [])
  const { baseMs = 2, capMs = Math.max(50, baseMs) } = backoff
  wholeNumber('backoff.baseMs', baseMs, 0, 60_000)
  wholeNumber('backoff.capMs', capMs, baseMs, 60_000)
  return { baseMs, capMs }
}
