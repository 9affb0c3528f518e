import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis-5'
import { expect } from 'vitest'
import { ioredisLockStore } from '../../src/entries/ioredis.ts'
import { lockStoreContract } from '../../src/entries/testing.ts'
import { acquireLock } from '../../src/lock/acquire-lock.ts'
import type { LockStore } from '../../src/lock/lock-store.ts'
import { withDistributedLock } from '../../src/lock/with-distributed-lock.ts'
import { onRedis, sharedRedis } from '../support/engines.ts'
import { freshKey, keysOf, lockProcess } from '../support/redis-keys.ts'
import { rivalOn } from '../support/rival.ts'

for (const options of [{}, { keyPrefix: 'app:' }, { enableAutoPipelining: true, stringNumbers: true }]) {
  lockStoreContract(onRedis, `ioredis ${JSON.stringify(options)}`, async () => {
    const [one, two] = [lockProcess(options), lockProcess(options)]
    return { store: one.store, rival: two.store, close: () => Promise.all([one.close(), two.close()]).then(() => {}) }
  })
}

lockStoreContract(onRedis, 'ioredis 5', async () => {
  const clients = [new Redis5(sharedRedis()), new Redis5(sharedRedis())] as const
  const [store, rival] = clients.map((client) => ioredisLockStore({ client })) as [LockStore<true>, LockStore<true>]
  const close = async () => {
    await Promise.all([store.close(), rival.close()])
    for (const client of clients) client.disconnect()
  }
  return { store, rival, close }
})

onRedis.describe('what is on the server', () => {
  onRedis.test('the lock key is the caller’s, its value the holder, and nothing is left of it', async () => {
    const { client, store, close } = lockProcess()
    const key = freshKey()
    await rivalOn(store, key, 'me').acquire(5_000)
    expect(await keysOf(client, key)).toEqual([key])
    expect(await client.get(key)).toBe('me')
    expect(await client.pttl(key)).toBeGreaterThan(4_000)
    await rivalOn(store, key, 'me').release()
    expect(await keysOf(client, key)).toEqual([])
    await close()
  })

  onRedis.test('while others wait their queue is no lock key, and is gone after them', async () => {
    const [a, b, c] = [lockProcess(), lockProcess(), lockProcess()]
    const key = freshKey()
    const held = await acquireLock({ store: a.store, key })
    const others = [b, c].map(({ store }) => withDistributedLock({ store, key }, () => {}))
    await expect.poll(() => a.client.zcard(`concurrency-kit:waiting:${key}`)).toBe(2)
    expect(await a.client.keys(`${key}*`)).toEqual([key])
    await held.release()
    await Promise.all(others)
    await expect.poll(() => keysOf(a.client, key)).toEqual([])
    for (const { close } of [a, b, c]) await close()
  })

  onRedis.test('a key that another program has set without a TTL is waited for, not taken', async () => {
    const { client, store, close } = lockProcess()
    const key = freshKey()
    await client.set(key, 'by hand')
    expect(await rivalOn(store, key).acquire()).toEqual({
      acquired: false,
      noLock: 'a value that never expires',
    })
    await client.del(key)
    await close()
  })
})

onRedis.describe('L20: fencing tokens', () => {
  /** A counter of its own: there is one per database and prefix. */
  function withCounter() {
    const process = lockProcess({ keyPrefix: freshKey() })
    const firstToken = async () => {
      const key = freshKey()
      const answer = await process.store.tryAcquire({
        key,
        holder: 'me',
        ttlMs: 5_000,
        tokens: 3,
        signal: new AbortController().signal,
      })
      return answer.acquired ? answer.firstToken : undefined
    }
    return { ...process, firstToken }
  }

  onRedis.test('begin at the server’s microseconds, and go on above what a lost counter gave', async () => {
    const { client, firstToken, close } = withCounter()
    let last = 0n
    for (let round = 0; round < 20; round += 1) {
      const token = (await firstToken()) ?? 0n
      expect(token).toBeGreaterThan(last)
      last = token + 2n
      if (round % 2 === 0) await client.del('concurrency-kit:fencing-tokens')
    }
    const [seconds] = await client.time()
    expect(Number(last / 1_000_000n)).toBeCloseTo(Number(seconds), -1)
    await client.del('concurrency-kit:fencing-tokens')
    await close()
  })

  onRedis.test('are exact around 2^53 and far above', async () => {
    const { client, firstToken, close } = withCounter()
    for (const next of ['9007199254740991', '9007199254740993', '9223372036854775000']) {
      await client.set('concurrency-kit:fencing-tokens', next)
      expect(await firstToken()).toBe(BigInt(next))
      expect(await firstToken()).toBe(BigInt(next) + 3n)
    }
    await client.del('concurrency-kit:fencing-tokens')
    await close()
  })
})

onRedis.describe('the queue of processes', () => {
  onRedis.test('the key goes round: nobody is served twice before the others were once', async () => {
    const processes = [lockProcess(), lockProcess(), lockProcess()]
    const key = freshKey()
    const served: number[] = []
    let waiting = true
    const held = await acquireLock({ store: (processes[0] as (typeof processes)[0]).store, key })
    const all = processes.map(async ({ store }, index) => {
      for (let n = 0; n < 8; n += 1) {
        await withDistributedLock({ store, key, waitMs: 20_000 }, async () => {
          served.push(index)
          if (waiting) return
          await sleep(2)
        })
      }
    })
    await expect.poll(() => processes[0]?.client.zcard(`concurrency-kit:waiting:${key}`)).toBeGreaterThanOrEqual(2)
    waiting = false
    await held.release()
    await Promise.all(all)
    const rounds = Array.from({ length: 7 }, (_, round) => new Set(served.slice(3 * round + 1, 3 * round + 4)).size)
    expect(rounds.filter((size) => size === 3).length).toBeGreaterThanOrEqual(5)
    for (const { close } of processes) await close()
  })

  onRedis.test('a released key is kept for whose turn it is, and for no longer than a moment', async () => {
    const { client, store, close } = lockProcess()
    const key = freshKey()
    await rivalOn(store, key, 'holder').acquire()
    await client.zadd(`concurrency-kit:waiting:${key}`, 1, 'dead', 2, 'another')
    await rivalOn(store, key, 'holder').release()
    const refused = await rivalOn(store, key).acquire()
    expect(refused).toMatchObject({ acquired: false })
    expect(!refused.acquired && refused.freeInMs).toBeLessThanOrEqual(50)
    await expect.poll(() => rivalOn(store, key).acquire(), { interval: 5 }).toMatchObject({ acquired: true })
    await rivalOn(store, key).release()
    await client.del(key, `concurrency-kit:waiting:${key}`)
    await close()
  })

  onRedis.test('L15: one that waits behind a dead one is woken when that did not take its turn', async () => {
    const [holder, waiter] = [lockProcess(), lockProcess()]
    const key = freshKey()
    const held = await acquireLock({ store: holder.store, key, ttlMs: 30_000 })
    await holder.client.zadd(`concurrency-kit:waiting:${key}`, 1, 'dead')
    const waiting = acquireLock({ store: waiter.store, key })
    await expect.poll(() => holder.client.zcard(`concurrency-kit:waiting:${key}`)).toBe(2)
    const releasedAt = performance.now()
    await held.release()
    await (await waiting).release()
    expect(performance.now() - releasedAt).toBeLessThan(500)
    for (const { close } of [holder, waiter]) await close()
  })

  onRedis.test('who gave up waiting, or asked only once, has no place: the key is free after its holder', async () => {
    const [holder, other] = [lockProcess(), lockProcess()]
    const key = freshKey()
    const held = await acquireLock({ store: holder.store, key })
    for (const waitMs of [0, 100]) {
      await expect(acquireLock({ store: other.store, key, waitMs })).rejects.toMatchObject({ code: 'LOCK_UNAVAILABLE' })
      await expect.poll(() => holder.client.exists(`concurrency-kit:waiting:${key}`)).toBe(0)
    }
    await held.release()
    await (await acquireLock({ store: other.store, key, waitMs: 0 })).release()
    for (const { close } of [holder, other]) await close()
  })

  onRedis.test('who gives up when it is its turn gives the turn on', async () => {
    const [holder, leaving] = [lockProcess(), lockProcess()]
    const key = freshKey()
    const { client, store } = holder
    const place = { waiter: 'leaving', signal: new AbortController().signal }
    await rivalOn(store, key, 'holder').acquire()
    const stop = leaving.store.watch?.(key, () => {})
    await leaving.store.tryAcquire({ key, holder: 'x', ttlMs: 1_000, tokens: 1, ...place })
    await client.zadd(`concurrency-kit:waiting:${key}`, 'NX', Date.now() * 2_000, 'next')
    await rivalOn(store, key, 'holder').release()
    expect(await client.get(key)).toBe('next:leaving')
    stop?.()
    // The command that gives it on leaves in this round of the event loop, and this one behind it.
    await turn()
    expect(await leaving.client.get(key)).toBe('next:next')
    for (const { close } of [holder, leaving]) await close()
  })
})

onRedis.describe('L15: announcements', () => {
  const subscribers = async (client: Redis) =>
    String(await client.client('LIST'))
      .split('\n')
      .filter((line) => / sub=[1-9]/.test(line) && line.includes(' name=announced ')).length

  onRedis.test('one connection for all stores of a client and all keys, and none when they are closed', async () => {
    const [observer, holder] = [lockProcess(), lockProcess()]
    const client = new Redis(sharedRedis(), { connectionName: 'announced' })
    const stores = [ioredisLockStore({ client }), ioredisLockStore({ client })]
    const keys = Array.from({ length: 50 }, freshKey)
    const held = await Promise.all(keys.map((key) => acquireLock({ store: holder.store, key })))
    const waiting = stores.flatMap((store) => keys.map((key) => withDistributedLock({ store, key }, () => {})))
    await expect.poll(() => observer.client.pubsub('NUMSUB', `concurrency-kit:released:${keys[49]}`)).toContain(1)
    expect(await subscribers(observer.client)).toBe(1)
    await Promise.all(held.map((lease) => lease.release()))
    await Promise.all(waiting)
    await expect.poll(() => observer.client.pubsub('NUMSUB', `concurrency-kit:released:${keys[49]}`)).toContain(0)
    await expect.poll(() => subscribers(observer.client)).toBe(0)
    await stores[0]?.close()
    await stores[1]?.close()
    const named = async () => String(await observer.client.client('LIST')).split(' name=announced ').length - 1
    await expect.poll(named).toBe(1)
    client.disconnect()
    for (const { close } of [observer, holder]) await close()
  })

  onRedis.test('one that was lost with its connection is made up for when it is back', async () => {
    const [holder, waiter] = [lockProcess(), lockProcess()]
    const key = freshKey()
    const held = await acquireLock({ store: holder.store, key, ttlMs: 30_000 })
    const heard: number[] = []
    const stop = waiter.store.watch?.(key, () => heard.push(performance.now()))
    await expect.poll(() => heard.length).toBe(1)
    await holder.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await held.release()
    await expect.poll(() => heard.length).toBe(2)
    stop?.()
    for (const { close } of [holder, waiter]) await close()
  })

  onRedis.test('without any, a waiter has its timer', async () => {
    const [holder, waiter] = [lockProcess(), lockProcess()]
    const key = freshKey()
    const held = await acquireLock({ store: holder.store, key, ttlMs: 30_000 })
    const { duplicate } = waiter.client
    waiter.client.duplicate = (options) => duplicate.call(waiter.client, { ...options, port: 1 })
    const waiting = acquireLock({ store: waiter.store, key })
    await sleep(50)
    await held.release()
    await (await waiting).release()
    for (const { close } of [holder, waiter]) await close()
  })
})
