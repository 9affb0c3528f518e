import type { Signal } from '../abort.ts'
import type { Environment } from '../time/clock.ts'

export interface Versioned<Value, Version> {
  readonly value: Value
  readonly version: Version
}

export interface ReadRequest<Id> {
  readonly id: Id
  /** Lock the row until the transaction ends, where the store can; only asked of a store inside a transaction. */
  readonly lock: boolean
  readonly signal?: Signal | undefined
}

export interface CompareAndSetRequest<Id, Value, Version> {
  readonly id: Id
  readonly expectedVersion: Version
  readonly value: Value
  /**
   * The same object that was read at `expectedVersion`. A store can use it to write only the parts that `value` replaced. A store that
   * keeps whole values ignores it; a store that wraps another passes it on.
   */
  readonly current?: Value | undefined
  readonly signal?: Signal | undefined
}

export type CompareAndSetResult<Value, Version> =
  | ({ readonly stored: true } & Versioned<Value, Version>)
  | { readonly stored: false }

/**
 * The port of a versioned row's store, single-attempt: a write happens only on the version that was read.
 *
 * A command that failed but may succeed if repeated throws a `StoreError` that is `transient`.
 * `versionedStoreContract` of `concurrency-kit/testing` is the proof of an implementation.
 */
export interface VersionedStore<Id, Value, Version = number> {
  /** Short name for errors and events, such as `memory`. */
  readonly name: string
  readonly environment?: Environment
  /** True inside the caller's transaction: nothing above sleeps, and transient errors go up to whoever owns it. */
  readonly transactional: boolean
  read(request: ReadRequest<Id>): Promise<Versioned<Value, Version> | undefined>
  /** Writes `value` with the next version if the row still has `expectedVersion`, and answers what was stored. */
  compareAndSet(request: CompareAndSetRequest<Id, Value, Version>): Promise<CompareAndSetResult<Value, Version>>
  /**
   * Reads the row under its lock, and stores what `change` makes of it, in a short transaction of its own.
   *
   * The fallback under contention. `change` is synchronous, so that no connection is held while user code waits; it
   * answers `undefined` for no change. Resolves to `undefined` where there is no row.
   */
  updateLocked?(
    request: { readonly id: Id; readonly signal?: Signal | undefined },
    change: (current: Versioned<Value, Version>) => { readonly value: Value } | undefined,
  ): Promise<Versioned<Value, Version> | undefined>
}

/** A store that also works inside the caller's transaction. */
export interface TransactableVersionedStore<Id, Value, Version, Transaction>
  extends VersionedStore<Id, Value, Version> {
  /** The same rows through `transaction`: committed or rolled back with it. */
  within(transaction: Transaction): VersionedStore<Id, Value, Version>
}
