import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { isLeaseLostError } from '../../../src/errors.ts'
import { acquireLock } from '../../../src/lock/acquire-lock.ts'
import { withDistributedLock } from '../../../src/lock/with-distributed-lock.ts'
import { MemoryRegister } from '../../faults/register.ts'
import { rivalOn } from '../../support/rival.ts'
import { SkewedTime } from '../../support/skewed-time.ts'
import type { Pitfall } from './pitfall.ts'

const HOUR_MS = 3_600_000

/** Leases that are renewed, and lost. */
export const losses: readonly Pitfall[] = [
  {
    number: 'L4',
    title: 'an extension in flight when the section ends leaves no timer, and aborts nothing',
    prove: async ({ key, one, two }) => {
      one.next('extend', 'hold')
      const signal = await withDistributedLock({ store: one, key, ttlMs: 600 }, async (lease) => {
        while (one.count('extend') === 0) await pause(1)
        return lease.signal
      })
      one.letGo()
      expect((await rivalOn(two, key).acquire()).acquired).toBe(true)
      // As long as a stray timer would take to renew.
      await pause(250)
      expect(signal.aborted).toBe(false)
      expect(one.count('extend')).toBe(1)
    },
  },
  {
    number: 'L5',
    title: 'a store that hangs: the lease is known to be lost before another can have it',
    prove: async ({ key, one, two, expires }) => {
      one.always('extend', 'hang')
      one.always('release', 'hang')
      const startedAt = performance.now()
      const lease = await acquireLock({ store: one, key, ttlMs: 500 })
      if (!expires) {
        await once(lease.signal as AbortSignal, 'abort')
        expect(performance.now() - startedAt).toBeLessThan(900)
      }
      while (expires && !(await rivalOn(two, key).acquire()).acquired) await pause(1)
      expect(() => lease.assertHeld()).toThrow(expect.toSatisfy(isLeaseLostError))
      expect(isLeaseLostError(lease.signal.reason)).toBe(true)
      one.always('release', 'answer')
    },
  },
  {
    number: 'L8',
    title: 'a short lease is renewed at a third, and renewals that fail are tried again with pauses: no spin',
    prove: async ({ key, keys, one }) => {
      const lease = await acquireLock({ store: one, key, ttlMs: 300 })
      await pause(900)
      lease.assertHeld()
      expect(one.count('extend')).toBeLessThanOrEqual(10)
      await lease.release()
      one.always('extend', 'fail')
      const before = one.count('extend')
      const failing = await acquireLock({ store: one, key: keys(1), ttlMs: 300 })
      await once(failing.signal as AbortSignal, 'abort')
      expect(one.count('extend') - before).toBeLessThanOrEqual(10)
    },
  },
  {
    number: 'L10',
    title: 'neither a renewal that fails, nor the loss, nor a release that fails is an unhandled rejection',
    prove: async ({ key, one }) => {
      const unhandled: unknown[] = []
      const note = (error: unknown) => unhandled.push(error)
      process.on('unhandledRejection', note)
      one.always('extend', 'fail')
      one.always('release', 'fail')
      const lease = await acquireLock({ store: one, key, ttlMs: 200 })
      await once(lease.signal as AbortSignal, 'abort')
      await lease.release()
      // An unhandled rejection is told of after the round of the event loop in which it came.
      await pause(20)
      process.off('unhandledRejection', note)
      expect(unhandled).toEqual([])
    },
  },
  {
    number: 'L12',
    title: 'clocks of clients that are an hour apart let nobody in beside the holder',
    not: { memory: 'all of its callers have one clock' },
    prove: async ({ key, open, two }) => {
      await rivalOn(two, key).acquire()
      for (const stepMs of [HOUR_MS, -HOUR_MS]) {
        const time = new SkewedTime()
        time.stepWall(stepMs)
        const other = await open(time)
        expect((await rivalOn(other, key, 'skewed').acquire()).acquired).toBe(false)
        // What is granted by such a client excludes as well.
        expect((await rivalOn(other, `${key}${stepMs}`, 'skewed').acquire()).acquired).toBe(true)
        // Longer than the shortest lease that a wrong clock could have made of it.
        await pause(5)
        expect((await rivalOn(two, `${key}${stepMs}`).acquire()).acquired).toBe(false)
      }
    },
  },
  {
    number: 'L13',
    title: 'who was taken over releases and extends nothing of the next one’s',
    not: {
      'pg advisory': 'a lock ends with its release or its connection: nobody is taken over who could still release',
    },
    prove: async ({ key, one, two }) => {
      const [stale, next, third] = [rivalOn(one, key, 'stale'), rivalOn(two, key, 'next'), rivalOn(two, key, 'third')]
      await stale.acquire(60)
      await expect.poll(() => next.acquire()).toMatchObject({ acquired: true })
      const { signal } = new AbortController()
      expect(await one.extend({ key, holder: 'stale', ttlMs: 1_000, signal })).toBe(false)
      expect(await stale.release()).toBe(false)
      expect((await third.acquire()).acquired).toBe(false)
      expect(await next.release()).toBe(true)
    },
  },
  {
    number: 'L14',
    title: 'who slept through its lease cannot act through the kit, and its write is refused by token or version',
    prove: async ({ key, one, two, expires }) => {
      const register = new MemoryRegister()
      const write = async (lease: object, read: number) =>
        register.write(read, Reflect.get(lease, 'fencingToken') as bigint | undefined)
      one.always('extend', 'hang')
      one.always('release', 'hang')
      const slept = await acquireLock({ store: one, key, ttlMs: 300 })
      const read = await register.read()
      if (!expires) {
        await once(slept.signal as AbortSignal, 'abort')
        expect((await rivalOn(two, key).acquire()).acquired).toBe(false)
        one.always('release', 'answer')
        // Its connection goes.
        await one.behind.close()
      }
      await withDistributedLock({ store: two, key, waitMs: 10_000 }, async (lease) => {
        expect(await write(lease, await register.read())).toBe(true)
      })
      expect(() => slept.assertHeld()).toThrow(expect.toSatisfy(isLeaseLostError))
      expect(slept.signal.aborted).toBe(true)
      expect(await write(slept, read)).toBe(false)
      if (two.fencing) expect(await write(slept, await register.read())).toBe(false)
      one.always('release', 'answer')
    },
  },
  {
    number: 'L25',
    title: 'after a suspend the wall clock tells that the lease is over, though the monotonic clock stood still',
    prove: async ({ key, openFaulty }) => {
      const time = new SkewedTime()
      const lease = await acquireLock({ store: await openFaulty(time), key, ttlMs: 30_000 })
      lease.assertHeld()
      time.suspend(31_000)
      expect(() => lease.assertHeld()).toThrow('its deadline has passed')
      expect(lease.signal.aborted).toBe(true)
    },
  },
]
