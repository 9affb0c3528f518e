import { describe, expect, test } from 'vitest'
import { isLeaseLostError, isReentrantLockError, type LeaseLostError } from '../../src/errors.ts'
import { acquireLock } from '../../src/lock/acquire-lock.ts'
import type { Lease } from '../../src/lock/lease.ts'
import { withDistributedLock } from '../../src/lock/with-distributed-lock.ts'
import { FaultyLockStore } from '../support/faulty-lock-store.ts'
import { deferred, rivalOn } from '../support/rival.ts'
import { settle, VirtualTime } from '../support/virtual-time.ts'

const key = 'seat:12A'

function setUp() {
  const time = new VirtualTime()
  const store = new FaultyLockStore({ environment: time })
  return { time, store, rival: rivalOn(store.behind, key) }
}

/** Rejects when the lease is lost. */
function untilLost({ signal }: Lease): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
}

describe('a section that throws', () => {
  test('before it awaits anything, or long after its lease was lost: what it threw comes through, and the key goes on', async () => {
    for (const lost of [false, true]) {
      const { time, store, rival } = setUp()
      if (lost) store.always('extend', 'fail')
      const error = new Error('insufficient funds')
      const call = expect(
        withDistributedLock({ store, key, ttlMs: 1_000 }, () => {
          if (!lost) throw error
          return time.advance(2_000).then(() => Promise.reject(error))
        }),
      ).rejects.toBe(error)
      await call
      await settle()
      expect((await rival.acquire()).acquired).toBe(true)
    }
  })
})

describe('a section that never settles', () => {
  test('holds its key for as long as it is renewed, and nobody else’s wait is longer for it than waitMs', async () => {
    const { time, store, rival } = setUp()
    void withDistributedLock({ store, key, ttlMs: 1_000 }, () => new Promise(() => {}))
    const waiting = expect(acquireLock({ store, key, waitMs: 5_000 })).rejects.toMatchObject({
      code: 'LOCK_UNAVAILABLE',
    })
    await time.advance(60_000)
    await waiting
    expect((await rival.acquire()).acquired).toBe(false)
  })

  test('its signal says that the lease was lost and that no outcome is known, and the key goes on without it', async () => {
    const { time, store, rival } = setUp()
    let reason: LeaseLostError | undefined
    const call = withDistributedLock({ store, key, ttlMs: 1_000 }, (lease) => {
      lease.signal.addEventListener('abort', () => {
        reason = lease.signal.reason
      })
      return new Promise(() => {})
    })
    let settled = false
    const note = () => {
      settled = true
    }
    call.then(note, note)
    await settle()
    store.always('extend', 'fail')
    await time.advance(1_000)
    expect(reason).toMatchObject({ code: 'LEASE_LOST', key, outcome: { status: 'pending' } })
    expect(reason?.cause).toMatchObject({ code: 'STORE_ERROR' })
    expect((await rival.acquire()).acquired).toBe(true)
    expect(settled).toBe(false)
  })

  test('raced with its signal it ends, and the caller is told the same', async () => {
    const { time, store } = setUp()
    const hung = new Promise<never>(() => {})
    const call = withDistributedLock({ store, key, ttlMs: 1_000 }, (lease) => Promise.race([hung, untilLost(lease)]))
    const told = expect(call).rejects.toMatchObject({ code: 'LEASE_LOST', outcome: { status: 'pending' } })
    await settle()
    store.always('extend', 'fail')
    await time.advance(1_000)
    await told
  })
})

describe('a section that acquires its key again', () => {
  test('may catch the refusal and go on: its lease is as it was', async () => {
    const { store, rival } = setUp()
    await withDistributedLock({ store, key }, async (lease) => {
      await expect(withDistributedLock({ store, key }, () => 'never')).rejects.toSatisfy(isReentrantLockError)
      lease.assertHeld()
      expect((await rival.acquire()).acquired).toBe(false)
    })
    expect((await rival.acquire()).acquired).toBe(true)
  })

  test('after its lease was lost waits for its turn like anybody', async () => {
    const { time, store, rival } = setUp()
    const lost = withDistributedLock({ store, key, ttlMs: 1_000, whenLost: 'return' }, async (stale) => {
      time.stall(1_001)
      await rival.acquire(500)
      const again = withDistributedLock(
        { store, key, ttlMs: 1_000 },
        (fresh) => fresh.fencingToken > stale.fencingToken,
      )
      await time.advance(600)
      return again
    })
    expect(await lost).toBe(true)
  })
})

describe('a section that leaves work behind', () => {
  test('the work finds its lease dead, and its token below that of the next section', async () => {
    const { store } = setUp()
    const ended = deferred()
    const late = await withDistributedLock({ store, key }, (lease) => {
      const work = ended.promise.then(() => {
        expect(() => lease.assertHeld()).toThrow(expect.toSatisfy(isLeaseLostError))
        return lease.fencingToken
      })
      return () => work
    })
    const next = await withDistributedLock({ store, key }, (lease) => lease.fencingToken)
    ended.resolve()
    expect(next).toBeGreaterThan(await late())
  })
})

describe('a call in a Promise.race', () => {
  test('that loses it keeps the key until its section ends, and then gives it back', async () => {
    const { store, rival } = setUp()
    const done = deferred()
    const call = withDistributedLock({ store, key }, () => done.promise)
    expect(await Promise.race([call, settle().then(() => 'too late')])).toBe('too late')
    expect((await rival.acquire()).acquired).toBe(false)
    done.resolve()
    await call
    expect((await rival.acquire()).acquired).toBe(true)
  })

  test('that loses it and fails later is no unhandled rejection', async () => {
    const unhandled: unknown[] = []
    const note = (error: unknown) => unhandled.push(error)
    process.on('unhandledRejection', note)
    const { time, store } = setUp()
    store.always('extend', 'fail')
    const done = deferred()
    await Promise.race([withDistributedLock({ store, key, ttlMs: 1_000 }, () => done.promise), settle()])
    await time.advance(2_000)
    done.reject(new Error('late'))
    await settle()
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
  })

  test('that waits and loses it takes the key later, unless its signal says that nobody wants it any more', async () => {
    for (const given of [false, true]) {
      const { time, store, rival } = setUp()
      await rival.acquire()
      const left = new AbortController()
      let ran = false
      const call = withDistributedLock({ store, key, ...(given && { signal: left.signal }) }, () => {
        ran = true
      })
      await Promise.race([call, settle()])
      left.abort(new Error('gone'))
      await rival.release()
      await time.advance(1_100)
      await Promise.allSettled([call])
      expect(ran).toBe(!given)
    }
  })
})

describe('a list of keys', () => {
  test('after a stall longer than the lease the signal that was taken before is aborted as soon as the lease is asked', async () => {
    const { time, store } = setUp()
    const lease = await acquireLock({ store, key: ['a', 'b'], ttlMs: 1_000 })
    const { signal } = lease
    time.stall(1_001)
    expect(lease.signal.aborted).toBe(true)
    expect(signal.aborted).toBe(true)
    expect(isLeaseLostError(signal.reason)).toBe(true)
  })
})
