import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { AcquireResult, LockStore } from '../../lock/lock-store.ts'
import { dealt } from '../store-objects.ts'

export interface OpenLockStore {
  readonly store: LockStore
  /**
   * Another store object on the same back end, as in another process: it has its own client and shares no memory with `store`. If
   * the store keeps its leases in the object, `rival` forwards every verb to `store`.
   */
  readonly rival: LockStore
  /** Ends what `open` made. The suite may have closed `store` before. */
  close(): Promise<void>
}

/** Abilities of a lock store. Tests of a missing ability are skipped; if the store contradicts a stated ability, all tests fail. */
export interface LockStoreAbilities {
  /** False for a store whose leases end with a connection, not with time. @defaultValue true */
  readonly expires?: boolean
  /** Must equal the store's `fencing`. @defaultValue true */
  readonly fencing?: boolean
  /** Must equal the store's `acquiresOnce`. @defaultValue false */
  readonly acquiresOnce?: boolean
  /** False for a store that has no `watch`. @defaultValue true */
  readonly watch?: boolean
  /** False for a store whose `watch` only reports releases through the same store object. @defaultValue true */
  readonly watchesRivals?: boolean
}

/** The key and store objects of one test of the verbs. */
export interface Scene {
  readonly key: string
  /** One or two store objects, which the holders use in turn. */
  readonly stores: readonly LockStore[]
  /** The verbs of a new holder of `key`, through the next store object. */
  holder(key?: string): Holder
}

export interface Holder {
  acquire(ttlMs?: number, tokens?: number): Promise<AcquireResult>
  extend(ttlMs?: number): Promise<boolean>
  release(): Promise<boolean>
}

/** A TTL longer than any test. */
export const TTL_MS = 30_000
/** Upper bound for an immediate answer, even on a slow machine. */
export const SOON_MS = 5_000

export function sceneOn(stores: readonly LockStore[]): Scene {
  const scenesKey = `contract:${randomUUID()}`
  const next = dealt(stores)
  return { key: scenesKey, stores, holder: (key = scenesKey) => holderOn(next(), key) }
}

/** The verbs of one holder, as one process uses them. */
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
