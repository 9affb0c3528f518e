import { getEventListeners } from 'node:events'
import { expect } from 'vitest'
import {
  acquireLock,
  findReplay,
  type LeasedIdempotencyStore,
  type LockStore,
  optimisticUpdate,
  purgeExpired,
  type TransactionalIdempotencyStore,
  type VersionedStore,
  withDistributedLock,
  withIdempotency,
} from '../src/index.ts'

/** The stores of one client, and rows with a counter `n` under id 1. */
export interface Stores {
  readonly locks?: LockStore
  readonly transactional?: TransactionalIdempotencyStore<unknown>
  readonly leased?: LeasedIdempotencyStore
  readonly rows?: VersionedStore<number, { readonly n: number }>
}

/** What is kept on a signal: listeners, and signals that were made of it by `AbortSignal.any`. */
export function keptOn(signal: AbortSignal): number {
  const symbol = Object.getOwnPropertySymbols(signal).find(({ description }) => description === 'kDependantSignals')
  const dependants = symbol === undefined ? undefined : (Reflect.get(signal, symbol) as Set<unknown> | undefined)
  return getEventListeners(signal, 'abort').length + (dependants?.size ?? 0)
}

type Call = (signal: AbortSignal, key: string) => Promise<unknown>

const declined = async () => Promise.reject(new Error('declined'))

/** Every public call that takes a signal, over the stores that there are. */
function callsOn({ locks, transactional, leased, rows }: Stores): Record<string, Call> {
  const calls: Record<string, Call> = {}
  if (locks !== undefined) {
    const store = locks
    calls['withDistributedLock'] = (signal, key) => withDistributedLock({ store, key, signal }, (lease) => lease.signal)
    calls['withDistributedLock that fails'] = (signal, key) => withDistributedLock({ store, key, signal }, declined)
    calls['acquireLock'] = async (signal, key) =>
      (await acquireLock({ store, key: [key, `${key}:2`], signal })).release()
    calls['contended locks'] = (signal, key) => {
      const one = () => withDistributedLock({ store, key, signal, waitMs: 1_000 }, async () => {})
      return Promise.allSettled([one(), one(), one()])
    }
  }
  for (const store of [transactional, leased]) {
    if (store === undefined) continue
    const run = (signal: AbortSignal, key: string, handler: () => Promise<unknown>) =>
      store.kind === 'leased'
        ? withIdempotency({ store, key, signal, onAmbiguous: 'rerun' }, async (context) => {
            // As `fetch` does.
            context.signal.addEventListener('abort', () => {})
            context.signal.throwIfAborted()
            return handler() as Promise<string>
          })
        : withIdempotency({ store, key, signal }, handler as () => Promise<string>)
    calls[`withIdempotency, ${store.kind}`] = (signal, key) => run(signal, key, async () => 'done')
    calls[`withIdempotency, ${store.kind}, that fails`] = (signal, key) => run(signal, key, declined)
    calls[`withIdempotency, ${store.kind}, joined`] = (signal, key) => {
      const one = () => run(signal, key, async () => 'done')
      return Promise.allSettled([one(), one(), one()])
    }
    calls[`findReplay, ${store.kind}`] = (signal, key) => findReplay({ store, key, signal })
    calls[`purgeExpired, ${store.kind}`] = (signal) => purgeExpired({ store, signal })
  }
  if (rows !== undefined) {
    const store = rows
    const update = (signal: AbortSignal) =>
      optimisticUpdate({ store, id: 1, signal, lockAfter: 1, maxAttempts: 100, checkPurity: false }, ({ n }) => ({
        n: n + 1,
      }))
    calls['optimisticUpdate'] = (signal) => update(signal)
    calls['contended updates'] = (signal) => Promise.allSettled(Array.from({ length: 6 }, () => update(signal)))
    calls['optimisticUpdate that fails'] = (signal) =>
      optimisticUpdate({ store, id: 1, signal }, () => declined() as never)
  }
  return calls
}

/** Nothing is kept on a signal that outlives the calls, whether they end well, fail or are aborted. */
export async function proveNothingKept(stores: Stores): Promise<void> {
  const { signal } = new AbortController()
  for (const [name, call] of Object.entries(callsOn(stores))) {
    const kept: string[] = []
    for (let n = 0; n < 5; n += 1) {
      await call(signal, `${name}:${n}:${Math.random()}`).catch(() => {})
      if (keptOn(signal) > 0) kept.push(`${keptOn(signal)} after ${name}`)
    }
    expect(kept).toEqual([])
    const abort = new AbortController()
    const aborted = call(abort.signal, `${name}:aborted:${Math.random()}`).catch(() => {})
    abort.abort()
    await aborted
    await call(abort.signal, `${name}:aborted before:${Math.random()}`).catch(() => {})
    expect([name, keptOn(abort.signal)]).toEqual([name, 0])
  }
}
