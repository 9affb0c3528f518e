import type { Signal } from '../abort.ts'
import type { Environment } from '../time/clock.ts'

/** The bound on a lease that goes from caller to caller of one process without a store command. */
export interface HandOffBound {
  /** Sections under one lease, integer from 1 to 1_000_000; 1 switches hand-off off. @defaultValue 128 */
  readonly maxSections: number
  /** Age in ms at which a lease is handed on no more, integer >= 0. @defaultValue 25 */
  readonly maxMs: number
}

export interface AcquireRequest {
  /** 1 to 1024 bytes in UTF-8, no NUL. */
  readonly key: string
  /** Unguessable, one per acquisition; asking again as the same holder answers `acquired` again. */
  readonly holder: string
  /** Lease length in ms, counted by the store from when it grants. */
  readonly ttlMs: number
  /** How many fencing tokens to reserve, so that the lease can serve that many sections. */
  readonly tokens: number
  /**
   * Who waits: stays the same over all attempts of one process for one key, so that a store may queue processes.
   * Its place is given back by a `release` that names it, and lapses by itself when it is not asked for again.
   */
  readonly waiter?: string
  /**
   * To be called, with the reason, by a store that learns by itself that what it grants here is gone, such as one whose
   * locks are bound to a connection. Others leave it: an `extend` that is refused says the same.
   */
  readonly onLost?: (cause: unknown) => void
  /** Aborts at the command's deadline: nobody listens to the answer any more, though a late grant is released. */
  readonly signal: Signal
}

export type AcquireResult =
  | {
      readonly acquired: true
      /** First of the reserved range, strictly above every token of this key before it. Required with `fencing: true`. */
      readonly firstToken?: bigint
      /** Length of the range, from 1 to what was asked for. @defaultValue 1 */
      readonly tokens?: number
    }
  | {
      readonly acquired: false
      /** Ms until the key is free if nobody renews or releases it, where the store knows. */
      readonly freeInMs?: number
      /** What the key holds, such as `a list`, if the store sees that it is not a lock. Callers still wait; their error names it. */
      readonly noLock?: string
    }

export interface ExtendRequest {
  readonly key: string
  readonly holder: string
  /** The lease ends this many ms after the store handles the command. */
  readonly ttlMs: number
  readonly signal: Signal
}

export interface ReleaseRequest {
  readonly key: string
  readonly holder: string
  /** The waiter whose place in the store's queue is given back too, if the store keeps one. */
  readonly waiter?: string
  readonly signal: Signal
}

type Awaitable<T> = T | PromiseLike<T>

/**
 * The port of a lock's store: few verbs, one attempt each. Contention is a value, a failure of the store is a throw.
 *
 * Waiting, queueing, hand-off, renewal and loss are above it and the same for every store. Each verb may answer
 * synchronously. `lockStoreContract` of `concurrency-kit/testing` is the proof of an implementation.
 */
export interface LockStore<Fencing extends boolean = boolean> {
  /** Short name for errors and events, such as `memory`. */
  readonly name: string
  /** Whether every grant brings fencing tokens; known to the types, so that a lease has a token only where there is one. */
  readonly fencing: Fencing
  /**
   * True where the client makes up the holder's name inside the call, so that a lost reply cannot be asked again: such an
   * acquire fails, and what it may have been granted lasts for one TTL. @defaultValue false
   */
  readonly acquiresOnce?: boolean
  /** Longest time that a command may take, in ms. @defaultValue 2_000 */
  readonly commandMs?: number
  /** @defaultValue 128 sections, 25 ms */
  readonly handOff?: Partial<HandOffBound>
  readonly environment?: Environment
  tryAcquire(request: AcquireRequest): Awaitable<AcquireResult>
  /** False when the holder no longer holds the key. */
  extend(request: ExtendRequest): Awaitable<boolean>
  /** False when the holder did not hold the key; another's lease is never touched. */
  release(request: ReleaseRequest): Awaitable<boolean>
  /**
   * Tells when `key` may be free, until the returned function is called; never throws.
   *
   * Calls `mayBeFree` once more when the watch is in place, as a release may have been missed before. Announcements may
   * be lost or spurious: waiters ask again on a timer too.
   */
  watch?(key: string, mayBeFree: () => void): () => void
  /** Calls `endLeases(store)` first, then gives back what the store itself opened; the client stays the caller's. */
  close(): Promise<void>
}
