import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { AcquireResult, LockStore } from '../../lock/lock-store.ts'
import { dealt } from '../store-objects.ts'

export interface OpenLockStore {
  readonly store: LockStore
  /**
   * Another store object on the same back end, as another process has it: with a client of its own, and nothing shared with
   * `store` in memory. A store that keeps its leases in itself passes every verb of `rival` on to `store`.
   */
  readonly rival: LockStore
  /** Ends what `open` made; the suite has closed `store` by then, or not. */
  close(): Promise<void>
}

/** What a lock store can do. Tests that need more are skipped; a store that has something else than told fails all of them. */
export interface LockStoreAbilities {
  /** False for a store whose leases end with a connection, not with time. @defaultValue true */
  readonly expires?: boolean
  /** As the store's own `fencing`. @defaultValue true */
  readonly fencing?: boolean
  /** As the store's own `acquiresOnce`. @defaultValue false */
  readonly acquiresOnce?: boolean
  /** False for a store that has no `watch`. @defaultValue true */
  readonly watch?: boolean
  /** False for a store whose `watch` hears the releases through its own object alone. @defaultValue true */
  readonly watchesRivals?: boolean
}

/** What the tests of the verbs work with. */
export interface Scene {
  readonly key: string
  /** One or two, which the holders use in turn. */
  readonly stores: readonly LockStore[]
  /** The verbs for a new holder of `key`, through the next store object. */
  holder(key?: string): Holder
}

export interface Holder {
  acquire(ttlMs?: number, tokens?: number): Promise<AcquireResult>
  extend(ttlMs?: number): Promise<boolean>
  release(): Promise<boolean>
}

/** Longer than any test. */
export const TTL_MS = 30_000
/** What a store does at once takes no longer, on whatever machine. */
export const SOON_MS = 5_000

export function sceneOn(stores: readonly LockStore[]): Scene {
  const scenesKey = `contract:${randomUUID()}`
  const next = dealt(stores)
  return { key: scenesKey, stores, holder: (key = scenesKey) => holderOn(next(), key) }
}

/** The verbs as one process uses them for one acquisition. */
export function holderOn(store: LockStore, key: string): Holder {
  const { signal } = new AbortController()
  const holder = randomUUID()
  return {
    acquire: async (ttlMs = TTL_MS, tokens = 1) => store.tryAcquire({ key, holder, ttlMs, tokens, signal }),
    extend: async (ttlMs = TTL_MS) => store.extend({ key, holder, ttlMs, signal }),
    release: async () => store.release({ key, holder, signal }),
  }
}

export function tokenOf(answer: AcquireResult): bigint | undefined {
  assert.ok(answer.acquired)
  return answer.firstToken
}
