import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isLockUnavailableError } from '../../src/errors.ts'
import { events } from '../../src/events.ts'
import { acquireLock } from '../../src/lock/acquire-lock.ts'
import { memoryLockStore } from '../../src/lock/stores/memory.ts'
import { withDistributedLock } from '../../src/lock/with-distributed-lock.ts'
import { FaultyLockStore } from '../support/faulty-lock-store.ts'
import { rivalOn } from '../support/rival.ts'
import { settle, VirtualTime } from '../support/virtual-time.ts'

const key = 'stock:sku-1'

function setUp(handOff = {}) {
  const time = new VirtualTime()
  const store = new FaultyLockStore({ environment: time, handOff })
  return { time, store, rival: rivalOn(store.behind, key) }
}

describe('who comes while an answer is under way for somebody who leaves', () => {
  test('is asked for at once: waitMs 0 does not wait for a poll', async () => {
    const { time, store, rival } = setUp()
    Object.assign(store, { watch: undefined })
    await rival.acquire()
    store.next('tryAcquire', 'hold')
    const leaving = new AbortController()
    const left = acquireLock({ store, key, signal: leaving.signal }).catch((error) => error)
    await settle()
    leaving.abort('left')
    expect(await left).toBe('left')
    const once = acquireLock({ store, key, waitMs: 0 }).catch((error) => error)
    store.letGo()
    await time.advance(0)
    expect(isLockUnavailableError(await once)).toBe(true)
    expect(store.count('tryAcquire')).toBe(2)
  })
})

test('a wait that begins while the lease before it is on its way back ends in time', async () => {
  const { time, store } = setUp()
  store.next('release', 'hold')
  const before = withDistributedLock({ store, key }, () => {})
  await settle()
  const late = acquireLock({ store, key, waitMs: 50 }).catch((error) => error)
  await time.advance(51)
  expect(isLockUnavailableError(await Promise.race([late, settle().then(() => 'still waiting')]))).toBe(true)
  store.letGo()
  await before
})

describe('hand-off within the process', () => {
  test('sections in a row share one lease: two store commands for all of them', async () => {
    const { store } = setUp()
    const order: number[] = []
    await Promise.all(
      Array.from({ length: 100 }, (_, index) => withDistributedLock({ store, key }, () => void order.push(index))),
    )
    expect(order).toEqual(Array.from({ length: 100 }, (_, index) => index))
    expect(store.commands).toEqual(['tryAcquire', 'release'])
  })

  test('the bound on sections sends the lease back to the store', async () => {
    const { store } = setUp({ maxSections: 10 })
    await Promise.all(Array.from({ length: 100 }, () => withDistributedLock({ store, key }, () => {})))
    expect(store.count('tryAcquire')).toBe(10)
    expect(store.count('release')).toBe(10)
  })

  test('the bound on time sends the lease back to the store', async () => {
    const { time, store } = setUp({ maxMs: 25 })
    const all = Promise.all(Array.from({ length: 10 }, () => withDistributedLock({ store, key }, () => time.stall(10))))
    await time.advance(1)
    await all
    expect(store.count('tryAcquire')).toBe(4)
  })

  test('a lease goes only to a caller whose ttlMs it still satisfies', async () => {
    const { store } = setUp()
    const short = withDistributedLock({ store, key, ttlMs: 1_000 }, () => {})
    const longer = withDistributedLock({ store, key, ttlMs: 30_000 }, () => {})
    const shorter = withDistributedLock({ store, key, ttlMs: 1_000 }, () => {})
    await Promise.all([short, longer, shorter])
    expect(store.commands).toEqual(['tryAcquire', 'release', 'tryAcquire', 'release'])
  })

  test('L20: every section has a token of its own, increasing and exact past 2^53', async () => {
    const store = memoryLockStore({ handOff: { maxSections: 7 } })
    const tokens: bigint[] = []
    await Promise.all(
      Array.from({ length: 50 }, () =>
        withDistributedLock({ store, key }, (lease) => void tokens.push(lease.fencingToken)),
      ),
    )
    for (const [index, token] of tokens.slice(1).entries()) expect(token > (tokens[index] as bigint)).toBe(true)
    const late = memoryLockStore()
    const [first, second] = await Promise.all([
      withDistributedLock({ store: late, key }, (lease) => lease.fencingToken),
      withDistributedLock({ store: late, key }, (lease) => lease.fencingToken),
    ])
    expect(first > 2n ** 53n).toBe(true)
    expect(second).toBe(first + 1n)
  })

  test('L20: a memory store that starts anew goes on above the tokens it gave before', async () => {
    const environment = new VirtualTime()
    const first = memoryLockStore({ environment })
    let before = 0n
    for (let n = 0; n < 10_000; n += 1)
      before = await withDistributedLock({ store: first, key }, (lease) => lease.fencingToken)
    environment.stall(1)
    const second = memoryLockStore({ environment })
    expect((await withDistributedLock({ store: second, key }, (lease) => lease.fencingToken)) > before).toBe(true)
  })
})

describe('waiting', () => {
  test('waitMs: 0 tries once, and fails at once while the key is held or sought in this process', async () => {
    const { store, rival } = setUp()
    await rival.acquire()
    await expect(acquireLock({ store, key, waitMs: 0 })).rejects.toSatisfy(isLockUnavailableError)
    expect(store.count('tryAcquire')).toBe(1)
    await rival.release()
    const lease = await acquireLock({ store, key, waitMs: 0 })
    await expect(acquireLock({ store, key, waitMs: 0 })).rejects.toSatisfy(isLockUnavailableError)
    expect(store.count('tryAcquire')).toBe(2)
    await lease.release()
  })

  test('a caller gives up on time, says how long it waited, and is skipped without a store command', async () => {
    const { time, store } = setUp()
    const lease = await acquireLock({ store, key, ttlMs: 60_000 })
    const call = acquireLock({ store, key, waitMs: 250 }).catch((error: unknown) => error)
    const patient = acquireLock({ store, key, waitMs: 10_000 })
    await time.advance(250)
    expect(await call).toMatchObject({ name: 'LockUnavailableError', code: 'LOCK_UNAVAILABLE', key, waitedMs: 250 })
    const before = store.commands.length
    await lease.release()
    await (await patient).release()
    expect(store.commands.slice(before)).toEqual(['release', 'tryAcquire', 'release'])
  })

  test('a first attempt that is under way when waitMs is over still counts', async () => {
    const { time, store } = setUp()
    store.next('tryAcquire', 'hold')
    const call = acquireLock({ store, key, waitMs: 5 })
    await time.advance(20)
    store.letGo()
    await (await call).release()
  })

  test('an aborted signal ends the wait with its reason, and the others go on', async () => {
    const { store } = setUp()
    const lease = await acquireLock({ store, key })
    const controller = new AbortController()
    const call = acquireLock({ store, key, signal: controller.signal })
    const other = acquireLock({ store, key })
    const reason = new Error('client went away')
    controller.abort(reason)
    await expect(call).rejects.toBe(reason)
    await lease.release()
    await (await other).release()
  })

  test('a signal that has aborted already asks the store nothing', async () => {
    const { store } = setUp()
    const reason = new Error('too late')
    await expect(acquireLock({ store, key, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(store.commands).toEqual([])
  })

  test('an abort while the grant is under way gives the grant back', async () => {
    const { store, rival } = setUp()
    store.next('tryAcquire', 'hold')
    const controller = new AbortController()
    const call = acquireLock({ store, key, signal: controller.signal })
    const failed = expect(call).rejects.toThrow('gone')
    await settle()
    controller.abort(new Error('gone'))
    await failed
    store.letGo()
    await settle()
    expect((await rival.acquire()).acquired).toBe(true)
  })

  test('L15: when the announcement of a release is lost, a timer bounded by the lease finds the free key', async () => {
    const { time, store, rival } = setUp()
    store.watch = () => () => {}
    await rival.acquire(700)
    const call = acquireLock({ store, key, waitMs: 60_000 })
    await time.advance(702)
    await (await call).release()
  })

  test('L15: a release by a rival wakes a waiter without a timer', async () => {
    const { store, rival } = setUp()
    await rival.acquire()
    const call = acquireLock({ store, key, waitMs: 60_000 })
    await settle()
    await rival.release()
    await (await call).release()
  })

  test('C6, L17: waiters of one key hold nothing that another key needs', async () => {
    const { store } = setUp()
    const lease = await acquireLock({ store, key })
    const waiting = Array.from({ length: 500 }, () => acquireLock({ store, key }).then((next) => next.release()))
    const others = await Promise.all(
      Array.from({ length: 100 }, (_, n) => withDistributedLock({ store, key: `k${n}` }, () => n)),
    )
    expect(others.length).toBe(100)
    await lease.release()
    await Promise.all(waiting)
  })
})

describe('laws', () => {
  test('mutual exclusion, first in first out, increasing tokens: over random interleavings of sections, give-ups and rivals', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.record({ waits: fc.boolean(), fails: fc.boolean(), hops: fc.nat(3) }), {
          minLength: 2,
          maxLength: 12,
        }),
        fc.integer({ min: 1, max: 5 }),
        async (scheduler, callers, maxSections) => {
          const store = memoryLockStore({ handOff: { maxSections } })
          const seen: { index: number; token: bigint }[] = []
          let inside = 0
          const calls = callers.map(async ({ waits, fails, hops }, index) => {
            const run = withDistributedLock({ store, key, waitMs: waits ? 60_000 : 0 }, async (lease) => {
              inside += 1
              expect(inside).toBe(1)
              seen.push({ index, token: lease.fencingToken })
              for (let hop = 0; hop < hops; hop += 1) await scheduler.schedule(Promise.resolve())
              inside -= 1
              if (fails) throw new Error('section failed')
              lease.assertHeld()
            })
            await run.catch((error: unknown) => {
              if (!isLockUnavailableError(error)) expect(error).toMatchObject({ message: 'section failed' })
            })
          })
          await scheduler.waitFor(Promise.all(calls))
          expect(seen.map(({ index }) => index)).toEqual(seen.map(({ index }) => index).sort((a, b) => a - b))
          for (const [n, { token }] of seen.slice(1).entries()) expect(token > (seen[n]?.token ?? 0n)).toBe(true)
          await (await acquireLock({ store, key, waitMs: 0 })).release()
        },
      ),
      { numRuns: 200 },
    )
  })

  test('C2: what the lock did can be seen: acquired, handed off, waited, ended, unavailable', async () => {
    const { time, store } = setUp()
    const seen: string[] = []
    const acquired = (event: { handedOff: boolean; waitedMs: number; fencingToken?: bigint }) =>
      seen.push(`acquired ${event.handedOff} ${event.waitedMs} ${typeof event.fencingToken}`)
    const ended = (event: { heldMs: number; lost: boolean }) => seen.push(`ended ${event.heldMs} ${event.lost}`)
    const unavailable = (event: { waitedMs: number }) => seen.push(`unavailable ${event.waitedMs}`)
    events.lock.acquired.subscribe(acquired)
    events.lock.ended.subscribe(ended)
    events.lock.unavailable.subscribe(unavailable)
    const first = withDistributedLock({ store, key }, () => time.stall(7))
    const second = withDistributedLock({ store, key }, () => {})
    await expect(acquireLock({ store, key, waitMs: 0 })).rejects.toSatisfy(isLockUnavailableError)
    await Promise.all([first, second])
    events.lock.acquired.unsubscribe(acquired)
    events.lock.ended.unsubscribe(ended)
    events.lock.unavailable.unsubscribe(unavailable)
    expect(seen).toEqual([
      'unavailable 0',
      'acquired false 0 bigint',
      'ended 7 false',
      'acquired true 7 bigint',
      'ended 0 false',
    ])
  })
})
