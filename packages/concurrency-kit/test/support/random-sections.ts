import { setTimeout } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Lease } from '../../src/lock/lease.ts'
import type { LockStore } from '../../src/lock/lock-store.ts'
import { withDistributedLock } from '../../src/lock/with-distributed-lock.ts'

/**
 * Runs sections of random lengths at random times in several processes, one to a store, and expects of each key: never
 * two at once, first in first out within a process, increasing tokens, and everybody's turn.
 */
export async function runRandomSections(
  stores: readonly LockStore[],
  { keys, random, sections }: { keys: readonly string[]; random: () => number; sections: number },
): Promise<void> {
  const below = (limit: number) => Math.floor(random() * limit)
  const inside = new Map<string, number>()
  const lastToken = new Map<string, bigint>()
  const came = new Map<string, number[]>()
  const began = new Map<string, number[]>()
  const plan = Array.from({ length: sections }, (_, index) => {
    const process = below(stores.length)
    return { index, process, key: keys[below(keys.length)] as string, startsInMs: below(300), takesMs: below(8) }
  })
  await Promise.all(
    plan.map(async ({ index, process, key, startsInMs, takesMs }) => {
      await setTimeout(startsInMs)
      const queue = `${process} ${key}`
      came.set(queue, [...(came.get(queue) ?? []), index])
      const store = stores[process] as LockStore
      await withDistributedLock({ store, key, waitMs: 25_000 }, async (lease: Lease & { fencingToken?: bigint }) => {
        expect(inside.get(key) ?? 0, `sections of ${key} at once`).toBe(0)
        inside.set(key, 1)
        began.set(queue, [...(began.get(queue) ?? []), index])
        const { fencingToken } = lease
        if (fencingToken !== undefined) {
          expect(fencingToken).toBeGreaterThan(lastToken.get(key) ?? 0n)
          lastToken.set(key, fencingToken)
        }
        await setTimeout(takesMs)
        inside.set(key, 0)
      })
    }),
  )
  expect(began).toEqual(came)
}
