import { isStoreError, RowNotFoundError, VersionConflictError } from '../errors.ts'
import { events } from '../events.ts'
import { shown } from '../options.ts'
import { isPromiseLike } from '../store-command.ts'
import { type Backoff, backOff } from '../time/backoff.ts'
import { systemEnvironment } from '../time/clock.ts'
import { deepFreeze } from './deep-freeze.ts'
import type { OptimisticUpdateOptions } from './optimistic-update.ts'
import { PurityCheck } from './purity.ts'
import { hasLine, inLine } from './row-lines.ts'
import type { Versioned } from './versioned-store.ts'

export interface ChangeContext<Version> {
  /** Which run of `change` this is, from 1. */
  readonly attempt: number
  readonly version: Version
}

/** Makes the new value of the old one; pure, as it may run several times. The same reference means no change. */
export type Change<Value, Version> = (value: Value, context: ChangeContext<Version>) => Value | PromiseLike<Value>

type Checked<Id, Value, Version> = Required<OptimisticUpdateOptions<Id, Value, Version>> & { readonly backoff: Backoff }

interface Stored<Value> {
  readonly done: true
  readonly value: Value
}

type Tried<Value, Version> = Stored<Value> | { readonly done: false; readonly expectedVersion: Version }

/** One call of `optimisticUpdate`: attempts until the row is stored, or there have been enough. */
export class UpdateRun<Id, Value, Version> {
  readonly #options: Checked<Id, Value, Version>
  readonly #change: Change<Value, Version>
  #attempt = 0
  /** Of the last read that found a row. */
  #seen: Version | undefined
  /** A `change` that has answered with a promise is never run under a row lock. */
  #asynchronous = false
  /** What `change` threw: the caller's own error, whatever it looks like. */
  #thrown: { readonly error: unknown } | undefined

  constructor(options: Checked<Id, Value, Version>, change: Change<Value, Version>) {
    this.#options = options
    this.#change = change
  }

  async result(): Promise<Value> {
    const { store, id } = this.#options
    try {
      return await (store.transactional ? this.#insideTransaction() : this.#alone())
    } catch (caught) {
      const error = this.#thrown === undefined ? caught : this.#thrown.error
      if (events.optimistic.failed.hasSubscribers) {
        events.optimistic.failed.publish({ store: store.name, id, attempts: this.#attempt, error })
      }
      throw error
    }
  }

  async #alone(): Promise<Value> {
    const { store, id, signal } = this.#options
    for (;;) {
      const tried = this.#locks()
        ? await inLine(store, id, signal, () => this.#attempts(() => this.#locked()))
        : await this.#attempts(
            () => this.#once(false),
            () => this.#locks(),
          )
      if (tried !== undefined) return tried.value
    }
  }

  /** Whether it is time to change the row under its lock: enough has failed, or others of this process are at it. */
  #locks(): boolean {
    const { store, id, maxAttempts, lockAfter } = this.#options
    if (this.#asynchronous || store.updateLocked === undefined || lockAfter >= maxAttempts) return false
    return this.#attempt >= lockAfter || hasLine(store, id)
  }

  /** Attempts until one has stored the row; undefined where it is to be tried in the other way. */
  async #attempts(
    attempt: () => Promise<Tried<Value, Version> | undefined>,
    over: () => boolean = () => false,
  ): Promise<Stored<Value> | undefined> {
    const { store, maxAttempts, backoff, signal } = this.#options
    do {
      signal?.throwIfAborted()
      this.#attempt += 1
      try {
        const tried = await attempt()
        if (tried === undefined || tried.done) return tried
        if (this.#attempt === maxAttempts) await this.#giveUp(tried.expectedVersion)
      } catch (error) {
        this.#unlessItPasses(error)
      }
      if (over()) return undefined
      await backOff(backoff, this.#attempt, store.environment ?? systemEnvironment, signal)
    } while (!over())
    return undefined
  }

  async #insideTransaction(): Promise<Value> {
    const { maxAttempts, signal } = this.#options
    signal?.throwIfAborted()
    for (;;) {
      this.#attempt += 1
      const tried = await this.#once(this.#attempt > 1)
      if (tried.done) return tried.value
      if (this.#attempt === maxAttempts) await this.#giveUp(tried.expectedVersion)
    }
  }

  async #once(lock: boolean): Promise<Tried<Value, Version>> {
    const { store, id, signal } = this.#options
    const current = await this.#read(lock)
    const { version: expectedVersion } = current
    const value = await this.#changed(current)
    if (value === current.value) return { done: true, value }
    const result = await store.compareAndSet({ id, expectedVersion, value, current: current.value, signal })
    if (result.stored) {
      this.#updated(result.version, false)
      return { done: true, value: result.value }
    }
    if (events.optimistic.conflict.hasSubscribers) {
      events.optimistic.conflict.publish({ store: store.name, id, expectedVersion, attempt: this.#attempt })
    }
    return { done: false, expectedVersion }
  }

  /** A synchronous `change` under the row's lock; undefined for one that is not: it is tried without, as the same attempt. */
  async #locked(): Promise<Stored<Value> | undefined> {
    const { store, id, signal } = this.#options
    let wrote = false
    try {
      const stored = await store.updateLocked?.({ id, signal }, (current) => {
        const value = this.#call(current)
        if (isPromiseLike(value)) {
          // Nobody waits for it any more; what it comes to is the next call's to say.
          Promise.resolve(value).catch(() => {})
          throw new TypeError('an asynchronous change must not run under a row lock')
        }
        wrote = value !== current.value
        return wrote ? { value } : undefined
      })
      if (stored === undefined) throw new RowNotFoundError(id, this.#seen)
      if (wrote) this.#updated(stored.version, true)
      return { done: true, value: stored.value }
    } catch (error) {
      if (!this.#asynchronous) throw error
      this.#attempt -= 1
      return undefined
    }
  }

  async #read(lock: boolean): Promise<Versioned<Value, Version>> {
    const { store, id, signal } = this.#options
    const current = await store.read({ id, lock, signal })
    if (current === undefined) throw new RowNotFoundError(id, this.#seen)
    this.#seen = current.version
    return current
  }

  async #changed(current: Versioned<Value, Version>): Promise<Value> {
    const purity = this.#options.checkPurity && this.#attempt === 1 ? new PurityCheck(current.value) : undefined
    const value = this.#call(current)
    try {
      const next = isPromiseLike(value) ? checked(await value, current.value) : value
      await purity?.refuse(next, (again) => this.#change(again, { attempt: 1, version: current.version }))
      return next
    } catch (error) {
      this.#thrown = { error }
      throw error
    }
  }

  #call({ value, version }: Versioned<Value, Version>): Value | PromiseLike<Value> {
    try {
      const next = this.#change(deepFreeze(value), { attempt: this.#attempt, version })
      this.#asynchronous ||= isPromiseLike(next)
      return isPromiseLike(next) ? next : checked(next, value)
    } catch (error) {
      this.#thrown = { error }
      throw error
    }
  }

  async #giveUp(expectedVersion: Version): Promise<never> {
    const { version } = await this.#read(false)
    throw new VersionConflictError(this.#options.id, expectedVersion, version, this.#attempt)
  }

  /** Throws `error` unless it is the store's own, did nothing, and there are attempts left. */
  #unlessItPasses(error: unknown): void {
    const { store, id, maxAttempts } = this.#options
    const passes = this.#thrown === undefined && isStoreError(error) && error.transient
    if (!passes || this.#attempt === maxAttempts) throw error
    if (events.optimistic.retried.hasSubscribers) {
      events.optimistic.retried.publish({ store: store.name, id, attempt: this.#attempt, cause: error })
    }
  }

  #updated(version: Version, locked: boolean): void {
    if (!events.optimistic.updated.hasSubscribers) return
    const { store, id } = this.#options
    events.optimistic.updated.publish({ store: store.name, id, version, attempts: this.#attempt, locked })
  }
}

/** @throws TypeError unless `next` is an object, and an array or of a built-in kind only where `value` is too. */
function checked<Value>(next: Value, value: Value): Value {
  const kind = kindOf(next)
  const wanted = Array.isArray(value) ? 'an array' : 'an object'
  if (typeof next === 'object' && next !== null) {
    if (kind === kindOf(value) || (kind === 'Object' && wanted === 'an object')) return next
  }
  const plain = typeof next !== 'object' || ['Null', 'Array', 'Object'].includes(kind)
  throw new TypeError(`change must return the new value, ${wanted}, but returned ${plain ? shown(next) : `a ${kind}`}`)
}

/** Such as `Array`, `Map`, or `Object`, which class instances are too. */
function kindOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1)
}
