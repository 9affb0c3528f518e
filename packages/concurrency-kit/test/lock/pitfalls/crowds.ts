import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { acquireLock } from '../../../src/lock/acquire-lock.ts'
import type { Lease } from '../../../src/lock/lease.ts'
import { LockEngine } from '../../../src/lock/lock-engine.ts'
import { withDistributedLock } from '../../../src/lock/with-distributed-lock.ts'
import { rivalOn } from '../../support/rival.ts'
import type { Pitfall } from './pitfall.ts'

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

const openResources = () =>
  process.getActiveResourcesInfo().filter((name) => name === 'Timeout' || name.startsWith('TCP')).length

async function untilAtMost(before: number): Promise<void> {
  const endMs = performance.now() + 2_000
  while (openResources() > before && performance.now() < endMs) await pause(20)
  expect(openResources()).toBeLessThanOrEqual(before)
}

/** Many who wait, many keys, and what is left behind. */
export const crowds: readonly Pitfall[] = [
  {
    number: 'L15',
    title: 'without a single announcement a crowd of waiters gets its turn, and one of them asks for all',
    prove: async ({ key, one, two }) => {
      one.deaf = true
      const rival = rivalOn(two, key)
      await rival.acquire()
      const refused = Promise.withResolvers<void>()
      one.next('tryAcquire', refused.resolve)
      const waiting = Array.from({ length: 100 }, () => withDistributedLock({ store: one, key, waitMs: 6_000 }, turn))
      await refused.promise
      await turn()
      const [asked, sinceMs] = [one.count('tryAcquire'), performance.now()]
      await rival.release()
      await Promise.all(waiting)
      const seconds = (performance.now() - sinceMs) / 1_000
      expect(one.count('tryAcquire') - asked).toBeLessThan(30 + 30 * seconds)
    },
  },
  {
    number: 'L17',
    title: 'a key that is held, and waited for, holds up no other, and each is released by itself',
    prove: async ({ key, keys, one, two }) => {
      const held = await acquireLock({ store: one, key })
      const waiting = withDistributedLock({ store: one, key, waitMs: 20_000 }, () => 'had')
      const others = keys(60)
      const leases = await Promise.all(others.map((other) => acquireLock({ store: one, key: other, waitMs: 0 })))
      const [first, ...rest] = leases
      await first?.release()
      expect((await rivalOn(two, others[0] as string).acquire()).acquired).toBe(true)
      for (const lease of rest) lease.assertHeld()
      expect((await rivalOn(two, others[1] as string).acquire()).acquired).toBe(false)
      await Promise.all(rest.map((lease) => lease.release()))
      await held.release()
      expect(await waiting).toBe('had')
    },
  },
  {
    number: 'L18',
    title: 'lists of keys in any order never deadlock two processes',
    prove: async ({ keys, one, two }) => {
      const [a = '', b = '', c = ''] = keys(3)
      const lists = [
        [a, b, c],
        [c, b, a],
        [b, a],
        [c, a, c],
      ]
      const runs = Array.from({ length: 24 }, (_, n) =>
        withDistributedLock({ store: n % 2 ? one : two, key: lists[n % 4] as string[], waitMs: 12_000 }, turn),
      )
      await Promise.all(runs)
    },
  },
  {
    number: 'L20',
    title: 'tokens are bigints, and increase from section to section over both processes',
    not: { redlock: 'it gives no tokens', 'pg advisory': 'it gives no tokens' },
    prove: async ({ key, one, two }) => {
      const tokens: bigint[] = []
      const section = (lease: Lease & { fencingToken?: bigint }) => {
        tokens.push(lease.fencingToken as bigint)
      }
      for (let round = 0; round < 3; round += 1) {
        for (const store of [one, two]) {
          await Promise.all(Array.from({ length: 5 }, () => withDistributedLock({ store, key }, section)))
        }
      }
      expect(tokens.every((token) => typeof token === 'bigint')).toBe(true)
      for (const [index, token] of tokens.slice(1).entries()) expect(token).toBeGreaterThan(tokens[index] as bigint)
    },
  },
  {
    number: 'L21',
    title: '2000 keys in a row leave no queue, timer or socket',
    prove: async ({ keys, one }) => {
      const lockEach = async (left: string[]) => {
        const caller = async () => {
          for (let key = left.pop(); key !== undefined; key = left.pop())
            await withDistributedLock({ store: one, key }, () => {})
        }
        await Promise.all(Array.from({ length: 20 }, caller))
      }
      // By then the client has its connections: of a Cluster to every node.
      await lockEach(keys(100))
      const before = openResources()
      await lockEach(keys(2_000))
      expect(LockEngine.of(one).keysInUse).toBe(0)
      await untilAtMost(before)
    },
  },
  {
    number: 'L21',
    title: 'after the store is closed no timer or socket is left of leases that were held, waited for and lost',
    prove: async ({ key, keys, two, openFaulty }) => {
      const [held = '', busy = '', lost = ''] = keys(3)
      await rivalOn(two, busy).acquire()
      const store = await openFaulty()
      await withDistributedLock({ store, key }, turn)
      const before = openResources()
      const leases = [await acquireLock({ store, key: held, ttlMs: 60_000 })]
      const waiting = acquireLock({ store, key: busy, waitMs: 60_000 }).catch((error: Error) => error.name)
      store.next('extend', 'fail', 'fail', 'fail', 'fail', 'fail', 'fail', 'fail', 'fail', 'fail')
      leases.push(await acquireLock({ store, key: lost, ttlMs: 90 }))
      await expect.poll(() => leases[1]?.signal.aborted).toBe(true)
      await store.close()
      expect(await waiting).toBe('StoreError')
      await store.behind.close()
      await untilAtMost(before)
    },
  },
]
