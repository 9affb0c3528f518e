import type { Signal } from '../abort.ts'
import { isStoreError, RowNotFoundError, VersionConflictError } from '../errors.ts'
import { events, traced, traces } from '../events.ts'
import { functionOption, objectWith, shown, signalOption, wholeNumber } from '../options.ts'
import { isPromiseLike } from '../store-command.ts'
import { backOff } from '../time/backoff.ts'
import { systemEnvironment } from '../time/clock.ts'
import { deepFreeze } from './deep-freeze.ts'
import type { Versioned, VersionedStore } from './versioned-store.ts'

export interface OptimisticUpdateOptions<Id, Value, Version> {
  readonly store: VersionedStore<Id, Value, Version>
  readonly id: Id
  /** How often to read and try to write, integer from 1 to 1_000. @defaultValue 10 */
  readonly maxAttempts?: number
  /** After so many failed attempts the store is asked to lock the row, if it can, integer >= 1. @defaultValue 3 */
  readonly lockAfter?: number
  readonly signal?: Signal | undefined
}

export interface ChangeContext<Version> {
  /** Which run of `change` this is, from 1. */
  readonly attempt: number
  readonly version: Version
}

/** Makes the new value of the old one; pure, as it may run several times. The same reference means no change. */
export type Change<Value, Version> = (value: Value, context: ChangeContext<Version>) => Value | PromiseLike<Value>

/** Ceiling of the pause after the n-th conflict doubles from 2 ms to 50 ms; each is uniform below it. */
const BACKOFF = { baseMs: 2, capMs: 50 }

/** Thrown through a locked update whose `change` turned out to be asynchronous: its transaction must not wait for it. */
const ASYNCHRONOUS = Symbol('asynchronous change')

/**
 * Reads a row, changes it, and writes it only if nobody else has meanwhile; on a conflict reads again.
 *
 * No update is lost: a write happens only on the version that was read. `change` gets a frozen value and must be pure.
 * Inside a transaction (`store.within(transaction)`) nothing pauses: after a conflict the row is read again under its
 * lock, and failures that the whole transaction must answer go up to whoever owns it.
 *
 * @param options.maxAttempts - How often to read and try to write, integer from 1 to 1_000. @defaultValue 10
 * @param options.lockAfter - Failed attempts after which the row is locked, where the store can. @defaultValue 3
 * @param options.signal - Ends backing off; rejects with its reason. Never a write in flight.
 * @returns the value as stored; the one that was read, where `change` returned it unchanged.
 * @throws TypeError, RangeError for bad options, or a `change` that returned no object; nothing was written.
 * @throws RowNotFoundError there is no such row, or it has gone meanwhile; nothing was written.
 * @throws VersionConflictError every attempt met a newer version; nothing was written.
 * @throws StoreError the store failed; whether the last write happened is unknown unless it is `transient`.
 * @see Kung & Robinson 1981 (optimistic concurrency control)
 * @example
 * await optimisticUpdate({ store: accounts, id: 1 }, (account) => ({ ...account, balance: account.balance + 100 }))
 */
export async function optimisticUpdate<Id, Value, Version>(
  options: OptimisticUpdateOptions<Id, Value, Version>,
  change: Change<NoInfer<Value>, NoInfer<Version>>,
): Promise<Value> {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`options must be an object, but is ${shown(options)}`)
  const { store, id, maxAttempts = 10, lockAfter = 3, signal } = options
  objectWith('store', store, ['read', 'compareAndSet'])
  wholeNumber('maxAttempts', maxAttempts, 1, 1_000)
  wholeNumber('lockAfter', lockAfter, 1, 1_000)
  signalOption(signal)
  functionOption('change', change)
  const update = new Update({ store, id, maxAttempts, lockAfter, signal }, change)
  return traced(
    traces.optimistic,
    () => ({ store: store.name, id }),
    () => update.run(),
  )
}

type Checked<Id, Value, Version> = Required<OptimisticUpdateOptions<Id, Value, Version>>

class Update<Id, Value, Version> {
  readonly #options: Checked<Id, Value, Version>
  readonly #change: Change<Value, Version>
  /** A `change` that has answered with a promise is never run under a row lock. */
  #asynchronous = false
  #attempt = 0

  constructor(options: Checked<Id, Value, Version>, change: Change<Value, Version>) {
    this.#options = options
    this.#change = change
  }

  async run(): Promise<Value> {
    const { store, id } = this.#options
    try {
      return await (store.transactional ? this.#insideTransaction() : this.#alone())
    } catch (error) {
      if (events.optimistic.failed.hasSubscribers) {
        events.optimistic.failed.publish({ store: store.name, id, attempts: this.#attempt, error })
      }
      throw error
    }
  }

  async #alone(): Promise<Value> {
    const { store, id, maxAttempts, lockAfter, signal } = this.#options
    let expected: Version | undefined
    for (this.#attempt = 1; ; this.#attempt += 1) {
      signal?.throwIfAborted()
      const last = this.#attempt === maxAttempts
      try {
        const locking = this.#attempt > lockAfter && !this.#asynchronous && store.updateLocked !== undefined
        const done = locking ? await this.#locked() : await this.#once(false)
        if (done.stored) return done.value
        expected = done.expected
      } catch (error) {
        if (error === ASYNCHRONOUS) continue
        if (!isStoreError(error) || !error.transient || last) throw error
      }
      if (last) throw new VersionConflictError(id, expected, await this.#actualVersion(), this.#attempt)
      await backOff(BACKOFF, this.#attempt, store.environment ?? systemEnvironment, signal)
    }
  }

  async #insideTransaction(): Promise<Value> {
    const { id, maxAttempts } = this.#options
    for (this.#attempt = 1; ; this.#attempt += 1) {
      const done = await this.#once(this.#attempt > 1)
      if (done.stored) return done.value
      if (this.#attempt === maxAttempts) {
        throw new VersionConflictError(id, done.expected, await this.#actualVersion(), this.#attempt)
      }
    }
  }

  async #once(lock: boolean): Promise<{ stored: true; value: Value } | { stored: false; expected: Version }> {
    const { store, id, signal } = this.#options
    const current = await store.read({ id, lock, signal })
    if (current === undefined) throw new RowNotFoundError(id)
    const pending = this.#changed(current)
    this.#asynchronous ||= isPromiseLike(pending)
    const next = checked(await pending)
    if (next === current.value) return { stored: true, value: next }
    const result = await store.compareAndSet({ id, expectedVersion: current.version, value: next, signal })
    if (result.stored) {
      this.#updated(result.version, false)
      return { stored: true, value: result.value }
    }
    if (events.optimistic.conflict.hasSubscribers) {
      const { version: expectedVersion } = current
      events.optimistic.conflict.publish({ store: store.name, id, expectedVersion, attempt: this.#attempt })
    }
    return { stored: false, expected: current.version }
  }

  async #locked(): Promise<{ stored: true; value: Value }> {
    const { store, id, signal } = this.#options
    let wrote = false
    const stored = await store.updateLocked?.({ id, signal }, (current) => {
      const next = this.#changed(current)
      if (isPromiseLike(next)) {
        this.#asynchronous = true
        // Nobody waits for it any more; what it comes to is the next attempt's to say.
        Promise.resolve(next).catch(() => {})
        throw ASYNCHRONOUS
      }
      wrote = checked(next) !== current.value
      return wrote ? { value: next } : undefined
    })
    if (stored === undefined) throw new RowNotFoundError(id)
    if (wrote) this.#updated(stored.version, true)
    return { stored: true, value: stored.value }
  }

  #changed({ value, version }: Versioned<Value, Version>): Value | PromiseLike<Value> {
    return this.#change(deepFreeze(value), { attempt: this.#attempt, version })
  }

  async #actualVersion(): Promise<Version | undefined> {
    const { store, id, signal } = this.#options
    return (await store.read({ id, lock: false, signal }))?.version
  }

  #updated(version: Version, locked: boolean): void {
    if (!events.optimistic.updated.hasSubscribers) return
    const { store, id } = this.#options
    events.optimistic.updated.publish({ store: store.name, id, version, attempts: this.#attempt, locked })
  }
}

function checked<Value>(next: Value): Value {
  if (typeof next === 'object' && next !== null) return next
  throw new TypeError(`change must return the new value, an object, but returned ${shown(next)}`)
}
