import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { redlockLockStore } from '../../src/entries/redlock.ts'
import { isStoreError } from '../../src/errors.ts'
import { events } from '../../src/events.ts'
import { withDistributedLock } from '../../src/lock/with-distributed-lock.ts'
import { spawn } from '../support/children.ts'
import { onDocker } from '../support/engines.ts'
import { type Connected, type Quorum, startQuorum } from '../support/quorum.ts'
import { redlock4, redlock5, scriptsOf } from '../support/redlock.ts'

/** Each fault of the redlock package is first shown on the package itself, then asked of the store. */
onDocker.describe('faults of redlock', () => {
  let quorum: Quorum

  beforeAll(async () => {
    quorum = await startQuorum(3)
  })

  afterAll(() => quorum.stop())

  const prove = (
    name: string,
    body: (connected: Connected & { key: string; direct: readonly Redis[] }) => Promise<void>,
  ) =>
    test(name, async () => {
      const connected = await quorum.connect()
      try {
        await body({ ...connected, direct: quorum.direct, key: `redlock:${randomUUID()}` })
      } finally {
        await connected.close()
      }
    })
  const onAll = (command: (node: Redis) => Promise<unknown>) => Promise.all(quorum.direct.map(command))
  const valuesOf = (key: string) => onAll((node) => node.get(key))
  const heldByRival = (key: string, ...nodes: number[]) =>
    Promise.all(nodes.map((node) => quorum.direct[node]?.set(key, 'rival', 'PX', 20_000)))

  prove('L1 in redlock 5: a vote that is split over two nodes never settles', async ({ nodes, key }) => {
    await heldByRival(key, 1)
    const pair = nodes.slice(0, 2)
    const answer = settling(redlock5(pair).acquire([key], 5_000))
    await expect.poll(async () => (await valuesOf(key))[0]).toBeTypeOf('string')
    await Promise.all(pair.map((node) => node.ping()))
    expect(answer.settled).toBe(false)
  })

  prove(
    'L1: an even number of nodes is refused, and a vote that is split over two of three settles',
    async ({ nodes, lines, key }) => {
      for (const redlockOn of [redlock4, redlock5]) {
        expect(() => redlockLockStore({ redlock: redlockOn(nodes.slice(0, 2)) })).toThrow(
          'redlock must have an odd number of nodes, but has 2',
        )
      }
      await heldByRival(key, 1)
      takeDown(lines, 2)
      const store = redlockLockStore({ redlock: redlock5(nodes) })
      await expect(withDistributedLock({ store, key, waitMs: 0 }, () => 'ran')).rejects.toMatchObject({
        code: 'LOCK_UNAVAILABLE',
      })
      await store.close()
    },
  )

  prove('L2, L11 in redlock 5: an acquire that took longer than its lease counts', async ({ nodes, lines, key }) => {
    for (const line of lines) line.delay(60)
    const lock = await redlock5(nodes).acquire([key], 100)
    expect(lock.expiration).toBeLessThan(Date.now())
  })

  prove(
    'L2, L11: an acquire that took longer than its lease fails, and leaves nothing',
    async ({ nodes, lines, key }) => {
      for (const nodeMs of [1, 500]) {
        const store = redlockLockStore({ redlock: redlock5(nodes), nodeMs })
        for (const line of lines) line.delay(60)
        await expect(withDistributedLock({ store, key, ttlMs: 100 }, () => 'ran')).rejects.toSatisfy(isStoreError)
        for (const line of lines) line.delay(0)
        await expect.poll(() => valuesOf(key)).toEqual([null, null, null])
        await store.close()
      }
    },
  )

  prove(
    'L3 in redlock 5: a failed release masks the error of the routine, after all its retries',
    async ({ nodes, key }) => {
      const redlock = redlock5(nodes, { retryCount: 2, retryDelay: 60, retryJitter: 0 })
      const startedAt = performance.now()
      const call = redlock.using([key], 5_000, async () => {
        await onAll((node) => node.del(key))
        throw new Error('the routine’s own')
      })
      await expect(call).rejects.toMatchObject({ name: 'ExecutionError' })
      expect(performance.now() - startedAt).toBeGreaterThan(110)
    },
  )

  prove('L3: the section’s error comes through, and waits for no release', async ({ nodes, lines, key }) => {
    const store = redlockLockStore({ redlock: redlock5(nodes) })
    const startedAt = performance.now()
    const call = withDistributedLock({ store, key }, async () => {
      await onAll((node) => node.del(key))
      for (const line of lines) line.stall()
      throw new Error('the section’s own')
    })
    await expect(call).rejects.toThrow('the section’s own')
    expect(performance.now() - startedAt).toBeLessThan(400)
    for (const line of lines) line.resume()
    await store.close()
  })

  prove(
    'L4 in redlock 5: an extension in flight at the end goes on renewing, and aborts when that fails',
    async ({ nodes, lines, key }) => {
      const redlock = redlock5(nodes, { retryCount: 0, automaticExtensionThreshold: 300 })
      const underWay = lines[0]?.next('request', scriptsOf(redlock).extend, 30)
      const signal = await redlock.using([key], 450, async (given) => {
        await underWay
        return given
      })
      expect(signal.aborted).toBe(false)
      await once(signal, 'abort')
    },
  )

  prove('L4: an extension in flight at the end changes nothing any more', async ({ nodes, lines, key }) => {
    const redlock = redlock5(nodes)
    const store = redlockLockStore({ redlock })
    const underWay = lines.map((line) => line.next('request', scriptsOf(redlock).extend, 30))
    const signal = await withDistributedLock({ store, key, ttlMs: 300 }, async (lease) => {
      await Promise.all(underWay)
      return lease.signal
    })
    await expect.poll(() => valuesOf(key)).toEqual([null, null, null])
    // As long as a stray timer would take to do something.
    await pause(300)
    expect(signal.aborted).toBe(false)
    expect(await valuesOf(key)).toEqual([null, null, null])
    await store.close()
  })

  prove(
    'L8 in redlock 5: a lease that is gone is extended hundreds of times before it counts as lost',
    async ({ nodes, direct, key }) => {
      const redlock = redlock5(nodes, { retryCount: 0, automaticExtensionThreshold: 300 })
      const sent = await scriptsRunOn(direct[0] as Redis)
      await expect(
        redlock.using([key], 450, async (signal) => {
          await onAll((node) => node.del(key))
          await once(signal, 'abort')
        }),
      ).rejects.toThrow()
      expect(await sent()).toBeGreaterThan(100)
    },
  )

  prove(
    'L8: a lease that is gone is lost at the first renewal, and short leases are renewed at a third',
    async ({ nodes, direct, key }) => {
      const store = redlockLockStore({ redlock: redlock5(nodes) })
      const sent = await scriptsRunOn(direct[0] as Redis)
      await expect(
        withDistributedLock({ store, key, ttlMs: 450 }, async (lease) => {
          await pause(450)
          lease.assertHeld()
          // One acquire and three extensions, and each script in full the first time.
          expect(await sent()).toBeLessThanOrEqual(6)
          const lost = once(lease.signal as AbortSignal, 'abort')
          await onAll((node) => node.del(key))
          await lost
        }),
      ).rejects.toMatchObject({ code: 'LEASE_LOST' })
      expect(await sent()).toBeLessThanOrEqual(10)
      await store.close()
    },
  )

  test('L10 in redlock 5: a failed vote whose event nobody hears is an unhandled rejection that ends the process', async () => {
    const script = `
      const { default: Redlock } = require('redlock')
      const down = { evalsha: async () => { throw new Error('connection refused') } }
      const redlock = new Redlock([down, down, down], { retryCount: 0 })
      redlock.removeAllListeners('error')
      redlock.acquire(['key'], 1000).catch(() => console.log('told the caller'))`
    const child = spawn(process.execPath, ['-e', script], {
      cwd: path.resolve(import.meta.dirname, '../..'),
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const [[code], stdout] = await Promise.all([once(child, 'exit'), text(child.stdout)])
    expect([code, stdout]).toEqual([1, ''])
  })

  prove('L10: nothing but the caller hears of failed votes', async ({ nodes, lines, key }) => {
    takeDown(lines, 0, 1, 2)
    for (const redlockOn of [redlock4, redlock5]) {
      const store = redlockLockStore({ redlock: redlockOn(nodes).removeAllListeners('error') })
      await expect(withDistributedLock({ store, key }, () => 'ran')).rejects.toThrow('3 of 3 nodes failed')
      await store.close()
    }
  })

  prove('L11 in redlock 4.2: an extension that fails gives the lease back', async ({ nodes, lines, key }) => {
    const redlock = redlock4(nodes)
    const lock = await redlock.acquire([key], 5_000)
    const cut = [0, 1].map((node) => lines[node]?.next('request', scriptsOf(redlock).extend, 'cut'))
    await expect(Promise.resolve(redlock.extend(lock, 5_000))).rejects.toMatchObject({ name: 'LockError' })
    await Promise.all(cut)
    expect((await valuesOf(key))[2]).toBe(null)
  })

  prove(
    'L11: an extension that fails leaves the lease as it was, and is tried again',
    async ({ nodes, lines, key }) => {
      for (const redlockOn of [redlock4, redlock5]) {
        const redlock = redlockOn(nodes)
        const store = redlockLockStore({ redlock })
        await withDistributedLock({ store, key, ttlMs: 600 }, async (lease) => {
          await Promise.all([0, 1].map((node) => lines[node]?.next('request', scriptsOf(redlock).extend, 'cut')))
          await pause(600)
          lease.assertHeld()
          expect((await valuesOf(key))[2]).toBeTypeOf('string')
        })
        await store.close()
      }
    },
  )

  prove(
    'L16 in redlock 5: with one node that hangs, a lost vote leaves its partial lock behind',
    async ({ nodes, lines, key }) => {
      await heldByRival(key, 1)
      lines[2]?.stall()
      const answer = settling(redlock5(nodes).acquire([key], 5_000))
      await expect.poll(async () => (await valuesOf(key))[0]).toBeTypeOf('string')
      await pause(600)
      expect(answer.settled).toBe(false)
      expect((await valuesOf(key))[0]).toBeTypeOf('string')
    },
  )

  prove(
    'L16: with one node that hangs, and a caller that left, the partial lock of a lost vote is released',
    async ({ nodes, lines, key }) => {
      await heldByRival(key, 1)
      for (const redlockOn of [redlock4, redlock5]) {
        lines[2]?.stall()
        const store = redlockLockStore({ redlock: redlockOn(nodes), nodeMs: 100 })
        const left = new AbortController()
        const call = withDistributedLock({ store, key, signal: left.signal }, () => 'ran')
        await expect.poll(async () => (await valuesOf(key))[0]).toBeTypeOf('string')
        left.abort('left')
        await expect(call).rejects.toBe('left')
        await expect.poll(() => valuesOf(key)).toEqual([null, 'rival', null])
        lines[2]?.resume()
        await nodes[2]?.ping()
        expect(await valuesOf(key)).toEqual([null, 'rival', null])
        await store.close()
      }
    },
  )

  prove('L22 in redlock 5: the error of a lost vote names neither node nor reason', async ({ nodes, lines, key }) => {
    takeDown(lines, 0, 1)
    const error = await Promise.resolve(redlock5(nodes).acquire([key], 1_000)).catch((thrown: Error) => thrown)
    expect(error).toMatchObject({ name: 'ExecutionError' })
    expect(error).not.toHaveProperty('cause')
    expect(String(error)).not.toContain(String(lines[0]?.port))
    expect(String(error)).not.toContain('closed')
  })

  prove(
    'L22: a majority that is down is a StoreError at once, which says which node failed and why',
    async ({ nodes, lines, key }) => {
      takeDown(lines, 0, 1)
      for (const redlockOn of [redlock4, redlock5]) {
        const store = redlockLockStore({ redlock: redlockOn(nodes) })
        const startedAt = performance.now()
        const error = await withDistributedLock({ store, key }, () => 'ran').catch((thrown: unknown) => thrown)
        expect(performance.now() - startedAt).toBeLessThan(400)
        if (!isStoreError(error)) throw error
        expect(error.message).toMatch(/^tryAcquire of redlock: 2 of 3 nodes failed: /)
        const { errors } = error.cause as AggregateError
        expect(errors.map(({ message }) => message)).toEqual(
          [0, 1].map((node) => expect.stringContaining(`:${lines[node]?.port} failed: `)),
        )
        for (const { cause } of errors) expect(cause).toBeInstanceOf(Error)
        await expect.poll(() => valuesOf(key)).toEqual([null, null, null])
        await store.close()
      }
    },
  )

  prove(
    'L22: a lost vote because others hold the key is contention, with a node down too',
    async ({ nodes, lines, key }) => {
      await heldByRival(key, 0, 1)
      takeDown(lines, 2)
      for (const redlockOn of [redlock4, redlock5]) {
        const store = redlockLockStore({ redlock: redlockOn(nodes) })
        const { signal } = new AbortController()
        const request = { key, holder: randomUUID(), ttlMs: 1_000, tokens: 1, signal }
        expect(await store.tryAcquire(request)).toEqual({ acquired: false })
        await store.close()
      }
    },
  )

  prove('L27 in redlock 4.2: a retryCount of 0 for one call means ten', async ({ nodes, key }) => {
    await heldByRival(key, 0, 1, 2)
    const redlock = redlock4(nodes, { retryDelay: 1, retryJitter: 0 })
    const acquire = redlock.acquireWithOptions(key, 1_000, { retryCount: 0 })
    await expect(Promise.resolve(acquire)).rejects.toMatchObject({ name: 'LockError', attempts: 11 })
  })

  prove('L27: an instance that would try again by itself is refused', async ({ nodes }) => {
    for (const redlockOn of [redlock4, redlock5]) {
      for (const settings of [{}, { retryCount: 1 }, { retryCount: -1 }]) {
        expect(() => redlockLockStore({ redlock: redlockOn(nodes, settings) })).toThrow(
          /^redlock must be made with retryCount: 0, .* but has (10|1|-1)$/,
        )
      }
    }
  })

  prove(
    'L27 in redlock 5: a partial lock that could not be released is told to nobody',
    async ({ nodes, lines, key }) => {
      await heldByRival(key, 1, 2)
      const redlock = redlock5(nodes)
      const cut = lines[0]?.next('request', scriptsOf(redlock).release, 'cut')
      const error = await Promise.resolve(redlock.acquire([key], 5_000)).catch((thrown: unknown) => thrown)
      await cut
      expect(error).toMatchObject({ name: 'ExecutionError' })
      expect(error).not.toHaveProperty('cause')
      expect((await valuesOf(key))[0]).toBeTypeOf('string')
    },
  )

  prove(
    'L27: a partial lock that could not be released is an event which names its node',
    async ({ nodes, lines, key }) => {
      await heldByRival(key, 1, 2)
      for (const redlockOn of [redlock4, redlock5]) {
        const redlock = redlockOn(nodes)
        const store = redlockLockStore({ redlock })
        const failed: unknown[] = []
        const listener = (event: { key: string; command: string; error: unknown }) => {
          if (event.key === key) failed.push([event.command, String(event.error)])
        }
        events.lock.commandFailed.subscribe(listener)
        const cut = lines[0]?.next('request', scriptsOf(redlock).release, 'cut')
        await expect(withDistributedLock({ store, key, waitMs: 0 }, () => 'ran')).rejects.toMatchObject({
          code: 'LOCK_UNAVAILABLE',
        })
        await cut
        await expect.poll(() => failed).toEqual([['release', expect.stringContaining(`:${lines[0]?.port} failed: `)]])
        events.lock.commandFailed.unsubscribe(listener)
        await quorum.direct[0]?.del(key)
        await nodes[0]?.ping().catch(() => nodes[0]?.ping())
        await store.close()
      }
    },
  )
})

function takeDown(lines: Connected['lines'], ...down: number[]): void {
  for (const node of down) {
    lines[node]?.refuse(true)
    lines[node]?.cutAll()
  }
}

function settling(promise: PromiseLike<unknown>): { readonly settled: boolean } {
  const answer = { settled: false }
  const settle = () => {
    answer.settled = true
  }
  promise.then(settle, settle)
  return answer
}

/** How many scripts `node` has been asked to run since this was called. */
async function scriptsRunOn(node: Redis): Promise<() => Promise<number>> {
  await node.config('RESETSTAT')
  return async () => {
    const info = await node.info('commandstats')
    const calls = [...info.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)]
    return calls.reduce((sum, [, count]) => sum + Number(count), 0)
  }
}
