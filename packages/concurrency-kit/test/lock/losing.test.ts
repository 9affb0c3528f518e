import { describe, expect, test } from 'vitest'
import { isLeaseLostError, isStoreError, type LeaseLostError } from '../../src/errors.ts'
import { acquireLock } from '../../src/lock/acquire-lock.ts'
import { withDistributedLock } from '../../src/lock/with-distributed-lock.ts'
import { FaultyLockStore } from '../support/faulty-lock-store.ts'
import { deferred, rivalOn } from '../support/rival.ts'
import { settle, VirtualTime } from '../support/virtual-time.ts'

const key = 'balance:user:1'

function setUp() {
  const time = new VirtualTime()
  const store = new FaultyLockStore({ environment: time })
  return { time, store, rival: rivalOn(store.behind, key) }
}

describe('renewal', () => {
  test('a lease is renewed at a third of its TTL, and outlives it', async () => {
    const { time, store, rival } = setUp()
    const lease = await acquireLock({ store, key, ttlMs: 3_000 })
    await time.advance(999)
    expect(store.count('extend')).toBe(0)
    await time.advance(20_000)
    expect(store.count('extend')).toBeGreaterThanOrEqual(19)
    expect(store.count('extend')).toBeLessThanOrEqual(21)
    lease.assertHeld()
    expect((await rival.acquire()).acquired).toBe(false)
    await lease.release()
    expect((await rival.acquire()).acquired).toBe(true)
  })

  test('L8: a short TTL is renewed three times per TTL, not in a spin', async () => {
    for (const ttlMs of [100, 500, 1_250]) {
      const { time, store } = setUp()
      const lease = await acquireLock({ store, key, ttlMs })
      await time.advance(ttlMs * 10)
      expect(store.count('extend'), `TTL ${ttlMs}`).toBeLessThanOrEqual(31)
      lease.assertHeld()
      await lease.release()
    }
  })

  test('L8: renewals that fail at once are tried again with pauses, not in a spin', async () => {
    const { time, store } = setUp()
    store.always('extend', 'fail')
    await acquireLock({ store, key, ttlMs: 1_000 })
    await time.advance(1_000)
    expect(store.count('extend')).toBeGreaterThan(2)
    expect(store.count('extend')).toBeLessThanOrEqual(10)
  })

  test('a renewal that fails is tried again, and the lease is kept', async () => {
    const { time, store } = setUp()
    store.next('extend', 'fail', 'hang', 'fail')
    const lease = await acquireLock({ store, key, ttlMs: 3_000 })
    await time.advance(30_000)
    lease.assertHeld()
  })

  test('L4: an extension in flight when the section ends leaves no timer and no spurious abort', async () => {
    const { time, store } = setUp()
    store.next('extend', 'hold')
    let signal: AbortSignal | undefined
    const done = deferred()
    const call = withDistributedLock({ store, key, ttlMs: 3_000 }, (lease) => {
      signal = lease.signal
      return done.promise
    })
    await time.advance(1_100)
    expect(store.count('extend')).toBe(1)
    done.resolve()
    await call
    store.letGo()
    await time.advance(60_000)
    expect(signal?.aborted).toBe(false)
    expect(store.count('extend')).toBe(1)
    expect(time.pendingTimers).toBe(0)
  })
})

describe('a lost lease', () => {
  test('L5: a store that hangs ends in an abort before another can have the key', async () => {
    const { time, store, rival } = setUp()
    store.always('extend', 'hang')
    const lease = await acquireLock({ store, key, ttlMs: 1_000 })
    let abortedAtMs = 0
    lease.signal.addEventListener('abort', () => {
      abortedAtMs = time.monotonicMs()
    })
    const startedAtMs = time.monotonicMs()
    store.always('release', 'hang')
    await time.advance(999)
    expect(abortedAtMs - startedAtMs).toBeGreaterThan(900)
    expect(abortedAtMs - startedAtMs).toBeLessThan(1_000)
    expect((await rival.acquire()).acquired).toBe(false)
    await time.advance(2)
    expect((await rival.acquire()).acquired).toBe(true)
    expect(() => lease.assertHeld()).toThrow('was lost')
    expect(isLeaseLostError(lease.signal.reason)).toBe(true)
  })

  test('L5: a renewal that fails after the deadline ends the lease at once, not after one more timer', async () => {
    class TimersOfNode extends VirtualTime {
      override setTimer(callback: () => void, delayMs: number) {
        return super.setTimer(callback, Math.max(1, delayMs))
      }
    }
    const time = new TimersOfNode()
    const store = new FaultyLockStore({ environment: time })
    const startedAtMs = time.monotonicMs()
    const lease = await acquireLock({ store, key, ttlMs: 150 })
    let lostAtMs: number | undefined
    lease.signal.addEventListener('abort', () => {
      lostAtMs = time.monotonicMs() - startedAtMs
    })
    // Trusted for 146.5 ms, told by a timer of whole ms; the renewal that is under way fails between the two.
    const failsAtMs = startedAtMs + 146.7
    store.extend = () =>
      new Promise((_, reject) => time.setTimer(() => reject(new Error('reset')), failsAtMs - time.monotonicMs()))
    await time.advance(150)
    expect(lostAtMs).toBeCloseTo(146.7, 3)
  })

  test('L5: an extension whose answer comes after a stall longer than itself ends the lease at once', async () => {
    const { time, store } = setUp()
    const arrived = deferred()
    store.extend = async (request) => {
      const extended = await store.behind.extend(request)
      await arrived.promise
      return extended
    }
    const { signal } = await acquireLock({ store, key, ttlMs: 3_000 })
    await time.advance(1_000)
    time.stall(5_000)
    arrived.resolve()
    await settle()
    expect(signal.aborted).toBe(true)
  })

  test('L10: neither a failed renewal nor a lost lease is an unhandled rejection', async () => {
    const unhandled: unknown[] = []
    const note = (error: unknown) => unhandled.push(error)
    process.on('unhandledRejection', note)
    const { time, store } = setUp()
    store.always('extend', 'fail')
    store.always('release', 'fail')
    const lease = await acquireLock({ store, key, ttlMs: 1_000 })
    await time.advance(5_000)
    await lease.release()
    await settle()
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
  })

  test('the call rejects with the section’s own outcome, or returns it where the caller says so', async () => {
    for (const whenLost of ['throw', 'return'] as const) {
      const { time, store } = setUp()
      store.always('extend', 'fail')
      const done = deferred<string>()
      const call = withDistributedLock({ store, key, ttlMs: 1_000, whenLost }, () => done.promise)
      const settled = call.catch((error: LeaseLostError) => error)
      await time.advance(2_000)
      done.resolve('receipt 7')
      const result = await settled
      if (whenLost === 'return') expect(result).toBe('receipt 7')
      else
        expect(result).toMatchObject({ name: 'LeaseLostError', outcome: { status: 'fulfilled', value: 'receipt 7' } })
    }
  })

  test('L25: after a suspend the wall clock tells that the lease is over, though the monotonic clock stood still', async () => {
    const { time, store } = setUp()
    const lease = await acquireLock({ store, key, ttlMs: 10_000 })
    time.suspend(11_000)
    expect(() => lease.assertHeld()).toThrow('its deadline has passed')
    expect(lease.signal.aborted).toBe(true)
  })

  test('L25: a section that was suspended does not pass as held', async () => {
    const { time, store } = setUp()
    const call = withDistributedLock({ store, key, ttlMs: 10_000 }, () => time.suspend(11_000))
    await expect(call).rejects.toSatisfy(isLeaseLostError)
  })

  test('a wall clock that steps back never prolongs a lease; a step forward may lose it early', async () => {
    const { time, store } = setUp()
    store.always('extend', 'fail')
    const lease = await acquireLock({ store, key, ttlMs: 10_000 })
    time.stepWall(-3_600_000)
    await time.advance(10_000)
    expect(() => lease.assertHeld()).toThrow('was lost')
    const early = await acquireLock({ store, key: 'other', ttlMs: 10_000 })
    time.stepWall(3_600_000)
    expect(() => early.assertHeld()).toThrow('was lost')
  })

  test('after an event-loop stall longer than the lease assertHeld throws, before any timer has fired', async () => {
    const { time, store } = setUp()
    const lease = await acquireLock({ store, key, ttlMs: 1_000 })
    time.stall(1_000)
    expect(() => lease.assertHeld()).toThrow('its deadline has passed')
  })

  test('L13: a stale holder’s release leaves the next holder’s lock alone', async () => {
    const { time, store, rival } = setUp()
    const lease = await acquireLock({ store, key, ttlMs: 1_000 })
    time.stall(1_001)
    expect((await rival.acquire()).acquired).toBe(true)
    await lease.release()
    await settle()
    expect((await rivalOn(store.behind, key, 'third').acquire()).acquired).toBe(false)
    await rival.release()
  })

  test('those who wait in the process get their turn when the lease of the section before them is lost', async () => {
    const { time, store } = setUp()
    const stuck = withDistributedLock({ store, key, ttlMs: 1_000, waitMs: 60_000 }, () => new Promise(() => {}))
    void stuck.catch(() => {})
    const next = withDistributedLock({ store, key, ttlMs: 1_000, waitMs: 60_000 }, () => 'next')
    await settle()
    store.always('extend', 'fail')
    await time.advance(1_100)
    expect(await next).toBe('next')
  })
})

describe('an error of the section', () => {
  test('L3: comes through as thrown, and a failing or hanging release neither masks nor delays it', async () => {
    for (const fault of ['fail', 'hang'] as const) {
      const { store } = setUp()
      store.always('release', fault)
      const error = new Error('insufficient funds')
      await expect(withDistributedLock({ store, key }, () => Promise.reject(error))).rejects.toBe(error)
    }
  })

  test('L3: `await using` never replaces the user’s error, not even when the lease was lost and its release fails', async () => {
    const { time, store } = setUp()
    store.always('extend', 'fail')
    store.always('release', 'fail')
    const error = new Error('insufficient funds')
    const work = async () => {
      await using lease = await acquireLock({ store, key, ttlMs: 1_000 })
      await time.advance(2_000)
      expect(lease.signal.aborted).toBe(true)
      throw error
    }
    await expect(work()).rejects.toBe(error)
  })

  test('L3: releasing a lost lease asks the store nothing and takes no time', async () => {
    const { time, store } = setUp()
    store.always('extend', 'fail')
    const lease = await acquireLock({ store, key, ttlMs: 1_000 })
    await time.advance(2_000)
    const before = store.commands.length
    await lease.release()
    expect(store.commands.length).toBe(before)
  })
})

describe('an answer that does not come, or comes late', () => {
  test('L6: a grant whose reply was lost is asked for again, and is not waited for', async () => {
    const { time, store } = setUp()
    store.next('tryAcquire', 'lose reply')
    expect(await withDistributedLock({ store, key }, () => 'ran')).toBe('ran')
    expect(time.pendingTimers).toBe(0)
  })

  test('L7: an acquire that failed leaves no orphan: what was granted is released', async () => {
    const { store, rival } = setUp()
    store.next('tryAcquire', 'lose reply', 'lose reply')
    await expect(acquireLock({ store, key })).rejects.toSatisfy(isStoreError)
    await settle()
    expect((await rival.acquire()).acquired).toBe(true)
  })

  test('L7: a grant that arrives after the call has failed is released', async () => {
    const { time, store, rival } = setUp()
    store.next('tryAcquire', 'hold', 'hold')
    const call = acquireLock({ store, key, waitMs: 100 })
    const failed = expect(call).rejects.toSatisfy(isStoreError)
    await time.advance(4_000)
    await failed
    store.letGo()
    await settle()
    expect((await rival.acquire()).acquired).toBe(true)
  })

  test('a late grant of the first asking does not take away what the second was granted', async () => {
    const { time, store, rival } = setUp()
    store.next('tryAcquire', 'hold')
    const call = acquireLock({ store, key })
    await time.advance(2_001)
    const lease = await call
    store.letGo()
    await settle()
    lease.assertHeld()
    expect((await rival.acquire()).acquired).toBe(false)
  })

  test('L11, L2: a grant that comes after its own lease is over is no grant, and is released', async () => {
    const { time, store, rival } = setUp()
    store.next('tryAcquire', 'hold')
    let ran = false
    const call = withDistributedLock({ store, key, ttlMs: 1_000 }, (lease) => {
      ran = true
      lease.assertHeld()
    })
    await settle()
    time.stall(1_000)
    store.letGo()
    await time.advance(0)
    await call
    expect(ran).toBe(true)
    expect(store.count('tryAcquire')).toBe(2)
    expect((await rival.acquire()).acquired).toBe(true)
  })

  test('a store that hangs ends in StoreError for everybody in line, never in a hung call', async () => {
    const { time, store } = setUp()
    store.always('tryAcquire', 'hang')
    const calls = Array.from({ length: 200 }, () => acquireLock({ store, key, waitMs: 60_000 }))
    const failed = Promise.all(calls.map((call) => expect(call).rejects.toSatisfy(isStoreError)))
    await time.advance(4_100)
    await failed
    expect(time.pendingTimers).toBe(0)
  })
})
