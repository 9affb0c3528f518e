import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createTables, knexIdempotencyStore } from '../../src/entries/knex.ts'
import { findReplay, memoryIdempotencyStore, purgeExpired, withIdempotency } from '../../src/index.ts'
import { sqliteFile } from '../support/sqlite.ts'
import { VirtualTime } from '../support/virtual-time.ts'

let time: VirtualTime
beforeEach(() => {
  time = new VirtualTime()
})

/** A store with so many expired records, each of which takes so long to delete, and what it was asked for. */
function storeWith(expired: number, msEach: number) {
  const asked: { limit: number; atMs: number; tookMs: number }[] = []
  const store = memoryIdempotencyStore({ environment: time })
  store.purge = async ({ limit }) => {
    const deleted = Math.min(limit, expired)
    expired -= deleted
    asked.push({ limit, atMs: time.monotonicMs(), tookMs: deleted * msEach })
    time.stall(deleted * msEach)
    return deleted
  }
  return { store, asked }
}

describe('purgeExpired', () => {
  test.each([
    ['quick', 0.01, 1_900],
    ['slow', 0.1, 190],
    ['very slow', 50, 100],
  ])('on a %s store a batch takes what it should, or is a hundred records', async (_speed, msEach, atLeast) => {
    const { store, asked } = storeWith(10_000, msEach)
    const purged = purgeExpired({ store })
    await time.advance(2_000_000)
    expect(await purged).toBe(10_000)
    const settled = asked.slice(8, -2)
    for (const { limit } of settled) {
      expect(limit).toBeGreaterThanOrEqual(atLeast)
      expect(limit).toBeLessThanOrEqual(Math.max(100, 20 / msEach))
    }
  })

  test('after each batch the others have as long as it took', async () => {
    const { store, asked } = storeWith(1_000, 1)
    const purged = purgeExpired({ store, batchMs: 50 })
    await time.advance(10_000)
    await purged
    for (const [index, { atMs, tookMs }] of asked.slice(0, -1).entries()) {
      expect(asked[index + 1]?.atMs).toBeGreaterThanOrEqual(atMs + 2 * tookMs)
    }
  })

  test('a way to the server that takes longer than a batch should makes no smaller and smaller ones', async () => {
    const { store, asked } = storeWith(10_000, 0)
    const purge = store.purge.bind(store)
    store.purge = async (request) => {
      time.stall(40)
      return purge(request)
    }
    const purged = purgeExpired({ store })
    await time.advance(20_000)
    expect(await purged).toBe(10_000)
    expect(asked.length).toBeLessThanOrEqual(101)
  })

  test('a store that does not say how many it deleted is asked once', async () => {
    const { store } = storeWith(0, 0)
    let asked = 0
    store.purge = async () => {
      asked += 1
      return undefined as never
    }
    await purgeExpired({ store })
    expect(asked).toBe(1)
  })

  test('it tells how far it is, and ends at its signal after a batch, with the reason', async () => {
    const { store, asked } = storeWith(1_000, 1)
    const abort = new AbortController()
    const told: number[] = []
    const purged = purgeExpired({
      store,
      signal: abort.signal,
      onProgress: ({ deleted, batch, tookMs }) => {
        told.push(deleted)
        expect(tookMs).toBe(batch)
        if (deleted >= 200) abort.abort('enough')
      },
    })
    purged.catch(() => {})
    await time.advance(10_000)
    await expect(purged).rejects.toBe('enough')
    expect([told, asked.length, time.pendingTimers]).toEqual([[100, 200], 2, 0])
  })

  test('what onProgress throws, and what the store fails with, comes through', async () => {
    const own = new Error('own')
    const { store } = storeWith(1_000, 1)
    const throws = () => {
      throw own
    }
    await expect(purgeExpired({ store, onProgress: throws })).rejects.toBe(own)
    store.purge = () => Promise.reject(own)
    await expect(purgeExpired({ store })).rejects.toBe(own)
  })

  test('options that cannot serve are refused by name', async () => {
    const { store, asked } = storeWith(1, 1)
    await expect(purgeExpired(undefined as never)).rejects.toThrow('options must be an object')
    await expect(purgeExpired({ store: {} as never })).rejects.toThrow('store.purge must be a function')
    await expect(purgeExpired({ store, batchMs: 0 })).rejects.toThrow('batchMs must be a whole number from 1')
    await expect(purgeExpired({ store, onProgress: 1 as never })).rejects.toThrow('onProgress must be a function')
    await expect(purgeExpired({ store, signal: {} as never })).rejects.toThrow('signal.addEventListener')
    expect(asked).toEqual([])
  })

  test('only what has expired is deleted', async () => {
    const store = memoryIdempotencyStore({ environment: time })
    for (let n = 0; n < 500; n += 1) {
      const retentionMs = n % 2 === 0 ? 10 : 1_000_000
      await withIdempotency({ store, key: `key ${n}`, retentionMs, onAmbiguous: 'refuse' }, () => n)
    }
    await time.advance(10)
    const purged = purgeExpired({ store })
    await time.advance(10_000)
    expect(await purged).toBe(250)
    expect(await findReplay({ store, key: 'key 1' })).toEqual({ found: true, result: 1 })
  })
})

describe('purgeExpired on SQLite', () => {
  let database: ReturnType<typeof sqliteFile>
  beforeEach(() => {
    database = sqliteFile()
  })
  afterEach(() => database.close())

  test('calls of this process and of another go on between its batches', async () => {
    const knex = database.connect()
    await createTables(knex, { idempotency: true })
    await knex.raw(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
      INSERT INTO idempotency_records (idempotency_key, fingerprint, status, created_at, expires_at)
      SELECT i, 'f', 'completed', '2026-01-01', '2026-01-02 00:00:00.000' FROM n`)
    const stores = [knexIdempotencyStore({ knex }), knexIdempotencyStore({ knex: database.connect() })] as const
    let batches = 0
    let purging = true
    const purged = purgeExpired({
      store: stores[0],
      batchMs: 5,
      onProgress: () => {
        batches += 1
      },
    }).finally(() => {
      purging = false
    })
    const during = [0, 0]
    const calls = stores.map(async (store, index) => {
      for (let n = 0; purging; n += 1) {
        const startedIn = batches
        await withIdempotency({ store, key: `call ${index} ${n}` }, () => n)
        if (purging) during[index] = (during[index] ?? 0) + 1
        expect(batches - startedIn).toBeLessThan(10)
      }
    })
    expect(await purged).toBe(20_000)
    await Promise.all(calls)
    expect(batches).toBeGreaterThan(5)
    for (const calledMeanwhile of during) expect(calledMeanwhile).toBeGreaterThan(5)
  })
})
