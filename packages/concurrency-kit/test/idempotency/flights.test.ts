import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, expect, test } from 'vitest'
import { isFingerprintMismatchError, isIdempotencyInProgressError } from '../../src/errors.ts'
import { memoryIdempotencyStore } from '../../src/idempotency/stores/memory.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { deferred } from '../support/rival.ts'
import { settle, VirtualTime } from '../support/virtual-time.ts'

/** A store that counts its claims, and callers of one key. */
function setUp() {
  const time = new VirtualTime()
  const store = memoryIdempotencyStore({ environment: time })
  const counts = { claims: 0 }
  const claim = store.claim.bind(store)
  store.claim = (request) => {
    counts.claims += 1
    return claim(request)
  }
  const call = <Result>(
    handler: () => Promise<Result>,
    options: { waitMs?: number; signal?: AbortSignal; key?: string; payload?: unknown } = {},
  ) => withIdempotency({ store, key: 'order-1', onAmbiguous: 'rerun', ...options }, handler as () => Promise<never>)
  return { time, store, counts, call }
}

const never = async () => expect.unreachable('this handler must not run')

describe('callers in one process with the key of one that runs', () => {
  test('I1: a thousand of them run the handler once, and ask the store once', async () => {
    const { counts, call } = setUp()
    const done = deferred<number>()
    let ran = 0
    const calls = Array.from({ length: 1_000 }, () =>
      call(() => {
        ran += 1
        return done.promise
      }),
    )
    await settle()
    done.resolve(42)
    expect(new Set(await Promise.all(calls))).toEqual(new Set([42]))
    expect([ran, counts.claims]).toEqual([1, 1])
  })

  test('when it fails, the failure is its own caller’s, and the first in line runs', async () => {
    const { call } = setUp()
    const first = deferred<number>()
    const order: string[] = []
    const run = (name: string, handler: () => Promise<number>) =>
      call(() => {
        order.push(name)
        return handler()
      })
    const calls = [
      run('first', () => first.promise),
      run('second', async () => Promise.reject(new Error('declined too'))),
      run('third', async () => 3),
      run('fourth', never),
    ]
    const outcomes = Promise.allSettled(calls)
    await settle()
    first.reject(new Error('declined'))
    expect(await outcomes).toMatchObject([
      { reason: { message: 'declined' } },
      { reason: { message: 'declined too' } },
      { value: 3 },
      { value: 3 },
    ])
    expect(order).toEqual(['first', 'second', 'third'])
  })

  test('one that gives up leaves the run going, and says how long it waited', async () => {
    const { time, call } = setUp()
    const done = deferred<number>()
    const abort = new AbortController()
    const running = call(() => done.promise)
    await settle()
    const late = call(never, { waitMs: 500 }).catch((error) => error)
    const left = call(never, { signal: abort.signal }).catch((error) => error)
    const stays = call(never)
    await time.advance(499)
    abort.abort('left')
    expect(await left).toBe('left')
    await time.advance(1)
    expect(isIdempotencyInProgressError(await late)).toBe(true)
    expect((await late).message).toContain('did not end within 500 ms')
    done.resolve(7)
    expect(await Promise.all([running, stays])).toEqual([7, 7])
    expect(time.pendingTimers).toBe(0)
  })

  test('with waitMs 0 is told at once', async () => {
    const { call } = setUp()
    const done = deferred<number>()
    const running = call(() => done.promise)
    await expect(call(never, { waitMs: 0 })).rejects.toMatchObject({ code: 'IDEMPOTENCY_IN_PROGRESS' })
    done.resolve(1)
    await running
  })

  test('X6: and another payload wait for it, and are refused once it has a record; the store is not asked', async () => {
    const { time, counts, call } = setUp()
    const done = deferred<number>()
    const running = call(() => done.promise, { payload: { amount: 1 } })
    const other = call(never, { payload: { amount: 2 } }).catch((error) => error)
    const short = call(never, { payload: { amount: 3 }, waitMs: 100 }).catch((error) => error)
    await time.advance(100)
    expect(isIdempotencyInProgressError(await short)).toBe(true)
    done.resolve(1)
    expect(isFingerprintMismatchError(await other)).toBe(true)
    expect([await running, counts.claims]).toEqual([1, 1])
  })
})

describe('a handler that calls its own key', () => {
  test('fails at once instead of waiting for itself, through another key too', async () => {
    const { call } = setUp()
    const inner = () => call(never)
    const direct = await call(inner).catch((error) => error)
    const through = await call(() => call(inner, { key: 'order-2' })).catch((error) => error)
    for (const error of [direct, through]) expect(error).toMatchObject({ code: 'IDEMPOTENCY_IN_PROGRESS' })
  })

  test('but what it left behind is no part of it: that joins the next run', async () => {
    const { call } = setUp()
    const leftBehind = deferred<() => Promise<unknown>>()
    const failed = call(async () => {
      // In the asynchronous context of this run, after it is over.
      leftBehind.resolve(AsyncLocalStorage.bind(() => call(never)))
      throw new Error('declined')
    })
    await expect(failed).rejects.toThrow('declined')
    const done = deferred<number>()
    const next = call(() => done.promise)
    await settle()
    const joined = (await leftBehind.promise)()
    done.resolve(5)
    expect(await Promise.all([next, joined])).toEqual([5, 5])
  })
})
