import { expect } from 'vitest'
import { isStoreError, type StoreError } from '../../../src/errors.ts'
import { acquireLock } from '../../../src/lock/acquire-lock.ts'
import { withDistributedLock } from '../../../src/lock/with-distributed-lock.ts'
import { rivalOn } from '../../support/rival.ts'
import { SkewedTime } from '../../support/skewed-time.ts'
import type { Pitfall } from './pitfall.ts'

/** Answers that are late, lost, or never come. */
export const answers: readonly Pitfall[] = [
  {
    number: 'L2, L11',
    title: 'a grant that comes after its own lease is over does not count',
    prove: async ({ key, openFaulty, two }) => {
      const time = new SkewedTime()
      const one = await openFaulty(time)
      one.next('tryAcquire', () => time.stall(30_000))
      const call = withDistributedLock({ store: one, key, ttlMs: 30_000 }, (lease) => lease.assertHeld())
      if (one.acquiresOnce) await expect(call).rejects.toSatisfy(isStoreError)
      else await call
      expect(one.count('tryAcquire')).toBe(one.acquiresOnce ? 1 : 2)
      await expect.poll(() => rivalOn(two, key).acquire()).toMatchObject({ acquired: true })
    },
  },
  {
    number: 'L3',
    title: 'the section’s error comes through as thrown, and waits for no release',
    prove: async ({ key, keys, one }) => {
      for (const [fault, each] of [
        ['fail', key],
        ['hang', ...keys(1)],
      ] as const) {
        one.always('release', fault)
        const error = new Error('insufficient funds')
        let thrownAt = 0
        const call = withDistributedLock({ store: one, key: each as string }, () => {
          thrownAt = performance.now()
          throw error
        })
        await expect(call).rejects.toBe(error)
        expect(performance.now() - thrownAt).toBeLessThan(400)
      }
      one.always('release', 'answer')
    },
  },
  {
    number: 'L6',
    title: 'an acquire whose reply was lost is granted again at once, and does not wait for its own lease',
    not: { redlock: 'the package names the holder inside the call, so nobody can ask again as the same (L27)' },
    prove: async ({ key, one, two }) => {
      one.next('tryAcquire', 'lose reply')
      const lease = await acquireLock({ store: one, key, ttlMs: 60_000, waitMs: 0 })
      lease.assertHeld()
      expect((await rivalOn(two, key).acquire()).acquired).toBe(false)
      await lease.release()
      expect((await rivalOn(two, key).acquire()).acquired).toBe(true)
    },
  },
  {
    number: 'L7',
    title: 'an acquire that has failed leaves nothing, whether its grant was lost or comes late',
    prove: async ({ key, keys, one, two }) => {
      one.next('tryAcquire', 'lose reply', 'lose reply')
      await expect(acquireLock({ store: one, key, ttlMs: 60_000 })).rejects.toSatisfy(isStoreError)
      await expect.poll(() => rivalOn(two, key).acquire()).toMatchObject({ acquired: true })
      const [late = ''] = keys(1)
      one.always('tryAcquire', 'hold')
      await expect(acquireLock({ store: one, key: late, ttlMs: 60_000 })).rejects.toSatisfy(isStoreError)
      one.letGo()
      await expect.poll(() => rivalOn(two, late).acquire()).toMatchObject({ acquired: true })
    },
  },
  {
    number: 'L19',
    title: 'a store that does not answer is a StoreError by the store’s own deadline',
    not: { memory: 'it answers in the same call' },
    prove: async ({ key, one }) => {
      one.always('tryAcquire', 'hang')
      const startedAt = performance.now()
      await expect(acquireLock({ store: one, key, waitMs: 60_000 })).rejects.toSatisfy(isStoreError)
      expect(performance.now() - startedAt).toBeLessThan(2 * one.commandMs + 500)
    },
  },
  {
    number: 'L22',
    title: 'a store that fails is a StoreError that says which command of which store, and carries the cause',
    prove: async ({ key, one }) => {
      one.always('tryAcquire', 'fail')
      const error = await acquireLock({ store: one, key }).catch((thrown: StoreError) => thrown)
      expect(error).toMatchObject({ name: 'StoreError', message: `tryAcquire of ${one.name} failed` })
      expect((error as StoreError).cause).toMatchObject({ message: 'connection refused' })
    },
  },
  {
    number: 'L23',
    title: 'every error that a caller gets has its own name',
    prove: async ({ key, keys, one, two }) => {
      const nameOf = (call: Promise<unknown>) =>
        call.then(
          () => 'none',
          (error: Error) => error.name,
        )
      const [held = '', lost = ''] = keys(2)
      await rivalOn(two, held).acquire()
      expect(await nameOf(acquireLock({ store: one, key: held, waitMs: 0 }))).toBe('LockUnavailableError')
      const again = withDistributedLock({ store: one, key }, () => acquireLock({ store: one, key }))
      expect(await nameOf(again)).toBe('ReentrantLockError')
      one.always('extend', 'fail')
      const late = withDistributedLock({ store: one, key: lost, ttlMs: 90 }, ({ signal }) =>
        expect.poll(() => signal.aborted).toBe(true),
      )
      expect(await nameOf(late)).toBe('LeaseLostError')
      one.always('tryAcquire', 'fail')
      expect(await nameOf(acquireLock({ store: one, key: `${key}:failed` }))).toBe('StoreError')
    },
  },
]
