import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { isLeaseLostError, isLockUnavailableError, isReentrantLockError, isStoreError } from '../../src/errors.ts'
import { acquireLock } from '../../src/lock/acquire-lock.ts'
import type { LockStore } from '../../src/lock/lock-store.ts'
import { memoryLockStore } from '../../src/lock/stores/memory.ts'
import { withDistributedLock } from '../../src/lock/with-distributed-lock.ts'
import { FaultyLockStore } from '../support/faulty-lock-store.ts'
import { deferred, rivalOn } from '../support/rival.ts'
import { settle, VirtualTime } from '../support/virtual-time.ts'

const key = 'seat:12A'

describe('a section', () => {
  test('resolves to what it returned, sync or async', async () => {
    const store = memoryLockStore()
    expect(await withDistributedLock({ store, key }, () => 1)).toBe(1)
    expect(await withDistributedLock({ store, key }, async () => 'two')).toBe('two')
  })

  test('its lease is dead once it has ended', async () => {
    const store = memoryLockStore()
    const lease = await withDistributedLock({ store, key }, (mine) => mine)
    expect(() => lease.assertHeld()).toThrow('its section has ended')
    expect(lease.signal.aborted).toBe(false)
  })

  test('`await using` releases at the end of the scope', async () => {
    const store = memoryLockStore()
    const rival = rivalOn(store, key)
    {
      await using lease = await acquireLock({ store, key })
      lease.assertHeld()
      expect((await rival.acquire()).acquired).toBe(false)
    }
    expect((await rival.acquire()).acquired).toBe(true)
  })

  test('releasing twice is releasing once', async () => {
    const store = new FaultyLockStore({ environment: new VirtualTime() })
    const lease = await acquireLock({ store, key })
    await lease.release()
    await lease.release()
    expect(store.count('release')).toBe(1)
  })
})

describe('re-entrance', () => {
  test('acquiring a key that the section holds fails at once, through any depth of calls', async () => {
    const store = memoryLockStore()
    const inner = async () => {
      await settle()
      return withDistributedLock({ store, key: ['other', key] }, () => 'never')
    }
    await withDistributedLock({ store, key }, async () => {
      await expect(inner()).rejects.toSatisfy(isReentrantLockError)
      await expect(acquireLock({ store, key })).rejects.toSatisfy(isReentrantLockError)
      expect(await withDistributedLock({ store, key: 'another' }, () => 'fine')).toBe('fine')
      expect(await withDistributedLock({ store: memoryLockStore(), key }, () => 'other store')).toBe('other store')
    })
  })

  test('work that was started inside and left behind is no re-entrance', async () => {
    const store = memoryLockStore()
    const ended = deferred()
    let leftBehind: Promise<string> | undefined
    await withDistributedLock({ store, key }, () => {
      leftBehind = ended.promise.then(() => withDistributedLock({ store, key }, () => 'mine'))
    })
    ended.resolve()
    expect(await leftBehind).toBe('mine')
  })

  test('two independent callers of one context are not re-entrant: they queue', async () => {
    const store = memoryLockStore()
    expect(
      await Promise.all([
        withDistributedLock({ store, key }, settle),
        withDistributedLock({ store, key }, () => 'second'),
      ]),
    ).toEqual([undefined, 'second'])
  })
})

describe('a list of keys', () => {
  test('L18: overlapping lists in any order never deadlock', async () => {
    const store = memoryLockStore()
    const lists = [
      ['a', 'b', 'c'],
      ['c', 'b', 'a'],
      ['b', 'a'],
      ['c', 'a', 'c'],
      ['b', 'c'],
    ]
    const runs = Array.from({ length: 100 }, (_, n) =>
      withDistributedLock({ store, key: lists[n % 5] as string[] }, settle),
    )
    await Promise.all(runs)
  })

  test('duplicates are one key, and every key has its token', async () => {
    const store = memoryLockStore()
    const tokens = await withDistributedLock({ store, key: ['b', 'a', 'b'] }, (lease) => {
      expect(lease.key).toEqual(['a', 'b'])
      lease.assertHeld()
      return lease.fencingTokens
    })
    expect([...tokens.keys()]).toEqual(['a', 'b'])
    expect((tokens.get('b') as bigint) > (tokens.get('a') as bigint)).toBe(true)
  })

  test('if one cannot be had, those before it are given back, and waitMs is for the whole list', async () => {
    const time = new VirtualTime()
    const store = new FaultyLockStore({ environment: time })
    await rivalOn(store.behind, 'c').acquire()
    const call = acquireLock({ store, key: ['a', 'b', 'c'], waitMs: 300 })
    const failed = expect(call).rejects.toSatisfy(isLockUnavailableError)
    await time.advance(299)
    expect((await rivalOn(store.behind, 'a').acquire()).acquired).toBe(false)
    await time.advance(2)
    await failed
    for (const free of ['a', 'b']) expect((await rivalOn(store.behind, free).acquire()).acquired).toBe(true)
  })

  test('losing one key aborts the signal of the list', async () => {
    const time = new VirtualTime()
    const store = new FaultyLockStore({ environment: time })
    const lease = await acquireLock({ store, key: ['a', 'b'], ttlMs: 1_000 })
    store.next('extend', 'answer')
    store.always('extend', 'fail')
    const aborted = once(lease.signal, 'abort')
    await time.advance(1_400)
    await aborted
    expect(isLeaseLostError(lease.signal.reason)).toBe(true)
    expect(() => lease.assertHeld()).toThrow('was lost')
  })
})

describe('closing', () => {
  test('rejects those who wait, takes leases away, releases them, and refuses later calls', async () => {
    const time = new VirtualTime()
    const store = new FaultyLockStore({ environment: time })
    const lease = await acquireLock({ store, key })
    const waiting = expect(acquireLock({ store, key })).rejects.toSatisfy(isStoreError)
    await store.close()
    await waiting
    expect(lease.signal.aborted).toBe(true)
    expect((await rivalOn(store.behind, key).acquire()).acquired).toBe(true)
    await expect(acquireLock({ store, key })).rejects.toThrow('lock store faulty is closed')
  })

  test('L21: after use and after closing no timer is left', async () => {
    const time = new VirtualTime()
    const store = new FaultyLockStore({ environment: time })
    for (let n = 0; n < 50; n += 1) await withDistributedLock({ store, key: `k${n % 7}` }, settle)
    expect(time.pendingTimers).toBe(0)
    const held = await acquireLock({ store, key })
    await rivalOn(store.behind, 'busy').acquire()
    const waiting = acquireLock({ store, key: 'busy' }).catch((error: unknown) => error)
    await settle()
    expect(time.pendingTimers).toBeGreaterThan(0)
    await store.close()
    expect(isStoreError(await waiting)).toBe(true)
    await held.release()
    expect(time.pendingTimers).toBe(0)
  })

  test('an acquire that is under way when the store closes is given back', async () => {
    const store = new FaultyLockStore({ environment: new VirtualTime() })
    store.next('tryAcquire', 'hold')
    const call = expect(acquireLock({ store, key })).rejects.toSatisfy(isStoreError)
    await settle()
    const closed = store.close()
    store.letGo()
    await closed
    await call
    expect((await rivalOn(store.behind, key).acquire()).acquired).toBe(true)
  })
})

describe('options', () => {
  const store = memoryLockStore()
  const section = () => 'ran'
  test.each([
    ['ttlMs', { ttlMs: 0 }, RangeError, 'ttlMs must be a whole number from 1 to 2147483647, but is 0'],
    ['ttlMs', { ttlMs: 1.5 }, RangeError, 'ttlMs'],
    ['ttlMs', { ttlMs: '10s' as never }, TypeError, 'ttlMs must be a number, but is "10s"'],
    ['waitMs', { waitMs: -1 }, RangeError, 'waitMs'],
    ['waitMs', { waitMs: Number.NaN }, RangeError, 'waitMs'],
    ['waitMs', { waitMs: Number.POSITIVE_INFINITY }, RangeError, 'waitMs'],
    ['key', { key: '' }, RangeError, 'key must not be empty'],
    ['key', { key: 7 as never }, TypeError, 'key must be a string, but is 7'],
    ['key', { key: 'a\0b' }, RangeError, 'key must not contain NUL'],
    ['key', { key: 'a\ud800' }, RangeError, 'lone surrogate'],
    ['key', { key: [] as never }, RangeError, 'empty list'],
    ['key', { key: ['a', 3] as never }, TypeError, 'key[1]'],
    ['store', { store: undefined as never }, TypeError, 'store must be an object, but is undefined'],
    ['store', { store: {} as LockStore }, TypeError, 'store.tryAcquire must be a function'],
    ['signal', { signal: 'now' as never }, TypeError, 'signal must be an object'],
    [
      'whenLost',
      { whenLost: 'ignore' as never },
      TypeError,
      'whenLost must be one of "throw", "return", but is "ignore"',
    ],
  ])('a bad %s is refused at once: %o', async (_name, bad, kind, message) => {
    const call = withDistributedLock({ store, key, ...bad }, section)
    await expect(call).rejects.toThrow(kind)
    await expect(call).rejects.toThrow(message)
  })

  test('a missing section is refused', async () => {
    await expect(withDistributedLock({ store, key }, undefined as never)).rejects.toThrow('section must be a function')
  })

  test('bad bounds of a store are refused by its first call', async () => {
    const bad = memoryLockStore({ handOff: { maxSections: 0 } })
    await expect(withDistributedLock({ store: bad, key }, section)).rejects.toThrow('store.handOff.maxSections')
  })
})
