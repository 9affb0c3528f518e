import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { ContractRunner } from '../entries/testing-runner.ts'
import { isLeaseLostError, isLockUnavailableError, isStoreError } from '../errors.ts'
import { events } from '../events.ts'
import { acquireLock } from './acquire-lock.ts'
import type { AcquireResult, LockStore } from './lock-store.ts'
import { withDistributedLock } from './with-distributed-lock.ts'

export interface OpenLockStore {
  readonly store: LockStore
  /** False for a store whose leases end with a connection, not with time. @defaultValue true */
  readonly expires?: boolean
  /** Ends what `open` made; the suite has closed the store by then, or not. */
  close(): Promise<void>
}

/**
 * The contract of a {@link LockStore}: its verbs one by one as a rival process would use them, then the engine above it.
 *
 * Takes a few seconds of real time: leases do expire. Keys are unguessable, so that the server may be shared.
 *
 * @param runner - The test runner's `describe` and `test`: those of Vitest, Jest or `node:test`.
 * @param name - How the store is called in the names of the tests.
 * @param open - Called for each test; a fresh store object, whose backend may be shared.
 */
export function lockStoreContract(runner: ContractRunner, name: string, open: () => Promise<OpenLockStore>): void {
  const { describe, test } = runner
  const prove = (title: string, body: (store: LockStore, key: string, expires: boolean) => Promise<void>) =>
    test(title, async () => {
      const opened = await open()
      try {
        await body(opened.store, `contract:${randomUUID()}`, opened.expires ?? true)
      } finally {
        await opened.close()
      }
    })

  describe(`lock store contract: ${name}`, () => {
    prove('a free key is granted, a held key is refused as a value', async (store, key) => {
      const rival = rivalOn(store, key)
      assert.equal((await rival.acquire('a')).acquired, true)
      const refused = await rival.acquire('b')
      assert.equal(refused.acquired, false)
      if (!refused.acquired && refused.freeInMs !== undefined) {
        assert.ok(refused.freeInMs > 0 && refused.freeInMs <= TTL_MS, `freeInMs ${refused.freeInMs}`)
      }
    })

    prove('of many that ask at once, at most one is granted', async (store, key) => {
      const rival = rivalOn(store, key)
      const holders = Array.from({ length: 8 }, (_, index) => `holder ${index}`)
      for (let round = 0; round < 5; round += 1) {
        const answers = await Promise.all(holders.map((holder) => rival.acquire(holder)))
        assert.ok(answers.filter(({ acquired }) => acquired).length <= 1, 'two holders at once')
        await Promise.all(holders.map((holder) => rival.release(holder)))
      }
    })

    prove('a grant is answered while its lease lasts', async (store, key) => {
      const rival = rivalOn(store, key)
      const ttlMs = 250
      const inTime = async () => {
        const askedAt = performance.now()
        const { acquired } = await rival.acquire('a', ttlMs)
        const tookMs = performance.now() - askedAt
        await rival.release('a')
        return acquired && tookMs < ttlMs
      }
      // A machine that is busy may be late; the store may not be late every time.
      assert.ok((await inTime()) || (await inTime()) || (await inTime()), `no grant came within its ${ttlMs} ms`)
    })

    prove('an attempt on a held key is refused at once, and takes nothing later', async (store, key) => {
      const rival = rivalOn(store, key)
      await rival.acquire('a')
      let timer: ReturnType<typeof setTimeout> | undefined
      const waited = new Promise<never>((_, reject) => {
        timer = setTimeout(reject, SOON_MS, new Error('the attempt waits for the key'))
      })
      const refused = await Promise.race([rival.acquire('b'), waited]).finally(() => clearTimeout(timer))
      assert.equal(refused.acquired, false)
      await rival.release('a')
      assert.equal((await rival.acquire('c')).acquired, true)
    })

    prove('asking again as the same holder is granted again', async (store, key) => {
      if (store.acquiresOnce) return
      const rival = rivalOn(store, key)
      const first = tokenOf(await rival.acquire('a'))
      const second = tokenOf(await rival.acquire('a'))
      if (store.fencing) assert.ok((second ?? 0n) > (first ?? 0n), 'a repeated grant brings newer tokens')
      assert.equal((await rival.acquire('b')).acquired, false)
    })

    prove('different keys do not exclude each other', async (store, key) => {
      assert.equal((await rivalOn(store, key).acquire('a')).acquired, true)
      assert.equal((await rivalOn(store, `${key}:other`).acquire('b')).acquired, true)
    })

    prove('keys are exact: braces, spaces, case and characters of any script', async (store, key) => {
      for (const suffix of [
        '',
        '{',
        '}',
        '{}',
        '{a}b',
        'a}b{',
        ' ',
        "'",
        '"',
        '%',
        '*',
        '\\',
        'A',
        'a',
        '한글',
        '🔒',
        '\u00e9',
        'e\u0301',
      ]) {
        assert.equal((await rivalOn(store, key + suffix).acquire('a')).acquired, true, JSON.stringify(suffix))
      }
    })

    prove('release frees the key for the next', async (store, key) => {
      const rival = rivalOn(store, key)
      await rival.acquire('a')
      assert.equal(await rival.release('a'), true)
      assert.equal((await rival.acquire('b')).acquired, true)
    })

    prove('a release by anybody else changes nothing', async (store, key) => {
      const rival = rivalOn(store, key)
      await rival.acquire('a')
      assert.equal(await rival.release('b'), false)
      assert.equal((await rival.acquire('b')).acquired, false)
      assert.equal(await rival.extend('a'), true)
    })

    prove('a second release by the holder says that there was nothing', async (store, key) => {
      const rival = rivalOn(store, key)
      await rival.acquire('a')
      await rival.release('a')
      assert.equal(await rival.release('a'), false)
    })

    prove('extend is the holder’s alone', async (store, key) => {
      const rival = rivalOn(store, key)
      assert.equal(await rival.extend('a'), false)
      await rival.acquire('a')
      assert.equal(await rival.extend('a'), true)
      assert.equal(await rival.extend('b'), false)
    })

    prove(
      'a lease expires by itself, and its holder can neither extend nor release the next one (L13)',
      async (store, key, expires) => {
        if (!expires) return
        const rival = rivalOn(store, key)
        await rival.acquire('a', 60)
        const next = await until(
          () => rival.acquire('b'),
          (answer) => answer.acquired,
        )
        assert.equal(next.acquired, true)
        assert.equal(await rival.extend('a'), false)
        assert.equal(await rival.release('a'), false)
        assert.equal((await rival.acquire('c')).acquired, false)
      },
    )

    prove('extend prolongs the lease from now', async (store, key, expires) => {
      if (!expires) return
      const rival = rivalOn(store, key)
      const startedAt = performance.now()
      await rival.acquire('a', 80)
      assert.equal(await rival.extend('a', 700), true)
      await until(
        () => rival.acquire('b'),
        (answer) => answer.acquired,
      )
      assert.ok(performance.now() - startedAt >= 600, 'the key was given away before the extended lease was over')
    })

    prove('fencing tokens increase over releases, expiries and ranges', async (store, key, expires) => {
      if (!store.fencing) return
      const rival = rivalOn(store, key)
      let last = 0n
      for (const [holder, tokens] of [
        ['a', 1],
        ['b', 100],
        ['c', 1],
        ['d', 7],
      ] as const) {
        const granted = await rival.acquire(holder, TTL_MS, tokens)
        assert.ok(granted.acquired)
        const first = tokenOf(granted)
        assert.equal(typeof first, 'bigint')
        assert.ok((first as bigint) > last, `${first} after ${last}`)
        last = (first as bigint) + BigInt(granted.tokens ?? tokens) - 1n
        await rival.release(holder)
      }
      if (!expires) return
      await rival.acquire('e', 50)
      const afterExpiry = await until(
        () => rival.acquire('f'),
        (answer) => answer.acquired,
      )
      assert.ok((tokenOf(afterExpiry) as bigint) > last)
    })

    prove('a watcher hears of a release, and no more once it has stopped', async (store, key) => {
      if (store.watch === undefined) return
      const rival = rivalOn(store, key)
      await rival.acquire('a')
      let calls = 0
      const unwatch = store.watch(key, () => {
        calls += 1
      })
      const called = (times: number) =>
        until(
          async () => calls,
          (count) => count >= times,
          SOON_MS,
        )
      await called(1)
      const atFirst = calls
      await rival.release('a')
      await called(atFirst + 1)
      unwatch()
      const before = calls
      await rival.acquire('b')
      await rival.release('b')
      assert.equal(calls, before)
    })

    prove('the engine excludes: many sections, never two at once, first in first out', async (store, key) => {
      let inside = 0
      const order: number[] = []
      await Promise.all(
        Array.from({ length: 30 }, (_, index) =>
          withDistributedLock({ store, key, waitMs: 30_000 }, async () => {
            inside += 1
            assert.equal(inside, 1)
            await new Promise(setImmediate)
            order.push(index)
            inside -= 1
          }),
        ),
      )
      assert.deepEqual(
        order,
        Array.from({ length: 30 }, (_, index) => index),
      )
    })

    prove('after the call the key is free on the store', async (store, key) => {
      const rival = rivalOn(store, key)
      assert.equal(await withDistributedLock({ store, key }, async () => (await rival.acquire('x')).acquired), false)
      assert.equal((await rival.acquire('x')).acquired, true)
    })

    prove('a caller waits for a rival’s release, and gets the key', async (store, key) => {
      const rival = rivalOn(store, key)
      await rival.acquire('x', 20_000)
      const running = withDistributedLock({ store, key, waitMs: 15_000 }, () => 'mine')
      await new Promise(setImmediate)
      await rival.release('x')
      assert.equal(await running, 'mine')
    })

    prove('waitMs: 0 tries once, and waitMs is kept', async (store, key) => {
      const rival = rivalOn(store, key)
      await rival.acquire('x', 20_000)
      const refuse = (waitMs: number) =>
        assert.rejects(
          withDistributedLock({ store, key, waitMs }, () => assert.fail('ran')),
          isLockUnavailableError,
        )
      await refuse(0)
      await refuse(50)
      await rival.release('x')
      assert.equal(await withDistributedLock({ store, key, waitMs: 0 }, () => 'free'), 'free')
    })

    prove('a lease outlives its TTL while its section runs', async (store, key) => {
      const rival = rivalOn(store, key)
      const outlives = (ttlMs: number) =>
        withDistributedLock({ store, key, ttlMs, whenLost: 'return' }, async (lease) => {
          const endAt = performance.now() + 3 * ttlMs
          while (performance.now() < endAt) {
            if (!(await rival.acquire('x')).acquired) await new Promise((resolve) => setTimeout(resolve, ttlMs / 10))
            else {
              assert.throws(() => lease.assertHeld(), isLeaseLostError, 'two holders at once')
              await rival.release('x')
              return false
            }
          }
          return !lease.signal.aborted
        })
      // On a machine that stands still for so long a lease is lost, and known to be: then a longer one must do.
      assert.ok((await outlives(300)) || (await outlives(1_500)), 'it was not renewed')
    })

    prove('a lease that the store forgot is known to be lost', async (store, key) => {
      let holder = ''
      const learn = (granted: { key: string; holder: string }) => {
        if (granted.key === key) holder = granted.holder
      }
      events.lock.acquired.subscribe(learn)
      const { signal } = new AbortController()
      const lost = withDistributedLock({ store, key, ttlMs: 300 }, async (lease) => {
        events.lock.acquired.unsubscribe(learn)
        assert.equal(await store.release({ key, holder, signal }), true)
        await once(lease.signal as AbortSignal, 'abort')
        assert.throws(() => lease.assertHeld(), isLeaseLostError)
        return 'late'
      })
      await assert.rejects(
        lost,
        (error) => isLeaseLostError(error) && error.outcome.status === 'fulfilled' && error.outcome.value === 'late',
      )
    })

    prove('close() rejects those who wait, takes leases away and releases them', async (store, key) => {
      const held = await acquireLock({ store, key })
      const waiting = assert.rejects(acquireLock({ store, key }), isStoreError)
      await new Promise(setImmediate)
      await store.close()
      await waiting
      assert.throws(() => held.assertHeld(), isLeaseLostError)
      await assert.rejects(acquireLock({ store, key }), isStoreError)
    })
  })
}

const TTL_MS = 30_000
/** What a store does at once takes no longer, on whatever machine. */
const SOON_MS = 5_000

/** The verbs as another process would use them. */
function rivalOn(store: LockStore, key: string) {
  const { signal } = new AbortController()
  return {
    acquire: async (holder: string, ttlMs = TTL_MS, tokens = 1) =>
      store.tryAcquire({ key, holder: `${key}:${holder}`, ttlMs, tokens, signal }),
    extend: async (holder: string, ttlMs = TTL_MS) => store.extend({ key, holder: `${key}:${holder}`, ttlMs, signal }),
    release: async (holder: string) => store.release({ key, holder: `${key}:${holder}`, signal }),
  }
}

function tokenOf(answer: AcquireResult): bigint | undefined {
  assert.ok(answer.acquired)
  return answer.firstToken
}

/** Asks again every few ms, for at most `limitMs`. */
async function until<Value>(
  ask: () => Promise<Value>,
  reached: (value: Value) => boolean,
  limitMs = 20_000,
): Promise<Value> {
  const endAt = performance.now() + limitMs
  for (;;) {
    const value = await ask()
    if (reached(value)) return value
    assert.ok(performance.now() < endAt, `not reached within ${limitMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
