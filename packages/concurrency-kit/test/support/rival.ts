import type { LockStore } from '../../src/lock/lock-store.ts'

/** The store's verbs as another process would use them, one holder at a time. */
export function rivalOn(store: LockStore, key: string, holder = 'rival') {
  const { signal } = new AbortController()
  return {
    acquire: async (ttlMs = 60_000) => store.tryAcquire({ key, holder, ttlMs, tokens: 1, signal }),
    release: async () => store.release({ key, holder, signal }),
  }
}

/** A promise with its settling functions, and whether it has settled. */
export function deferred<Value = void>() {
  const { promise, resolve, reject } = Promise.withResolvers<Value>()
  return { promise, resolve, reject }
}
