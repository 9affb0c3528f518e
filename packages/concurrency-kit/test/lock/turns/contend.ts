import { setTimeout } from 'node:timers/promises'
import type { LockStore } from '../../../src/lock/lock-store.ts'
import { withDistributedLock } from '../../../src/lock/with-distributed-lock.ts'

export interface Contention {
  /** Of each wait, how many turns of others passed it by. */
  readonly overtakings: readonly number[]
  readonly asksPerSection: number
}

/**
 * All want the key again and again, for a millisecond each, until there were `sections` of them. Of the first, for which
 * they open their connections, no account is taken.
 */
export async function contend(stores: readonly LockStore[], key: string, sections: number): Promise<Contention> {
  const overtakings: number[] = []
  await Promise.all(stores.map((store) => withDistributedLock({ store, key, waitMs: 60_000 }, () => {})))
  const asks = stores.map(countAsks)
  let served = 0
  await Promise.all(
    stores.map(async (store) => {
      while (served < sections) {
        const before = served
        await withDistributedLock({ store, key, waitMs: 60_000 }, async () => {
          overtakings.push(served - before)
          served += 1
          await setTimeout(1)
        })
      }
    }),
  )
  return { overtakings, asksPerSection: asks.reduce((sum, count) => sum + count(), 0) / served }
}

/** How often a store has been asked for a lease from now on. */
export function countAsks(store: LockStore): () => number {
  const { tryAcquire } = Object.getPrototypeOf(store) as LockStore
  let asks = 0
  store.tryAcquire = (request) => {
    asks += 1
    return tryAcquire.call(store, request)
  }
  return () => asks
}
