import { setTimeout } from 'node:timers/promises'
import type { Knex } from 'knex'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { createTables, knexLockStore } from '../../src/entries/knex.ts'
import { lockStoreContract } from '../../src/entries/testing.ts'
import { isLeaseLostError } from '../../src/errors.ts'
import { acquireLock } from '../../src/lock/acquire-lock.ts'
import type { LockStore } from '../../src/lock/lock-store.ts'
import { withDistributedLock } from '../../src/lock/with-distributed-lock.ts'
import { onPostgres, type PostgresDatabase, postgresDatabase } from '../support/engines.ts'
import { knexOn } from '../support/postgres-knex.ts'
import { untilLost } from '../support/until-lost.ts'

const { describe, test } = onPostgres
const key = 'balance:user:1'
let database: PostgresDatabase
const opened: (() => Promise<unknown>)[] = []

/** A store with connections of its own, as another process has it. */
async function open({ listens = true, max = 5 } = {}) {
  const knex = knexOn(database.url, { max, applicationName: 'locks' })
  const listener = new pg.Client({ connectionString: database.url })
  listener.on('error', () => {})
  await listener.connect()
  const store = knexLockStore({ knex, ...(listens && { listener }) })
  opened.push(async () => {
    await store.close()
    await listener.end()
    await knex.destroy()
  })
  return { knex, listener, store }
}

describe('a lease table on Postgres', () => {
  beforeAll(async () => {
    database = await postgresDatabase()
    const knex = knexOn(database.url)
    await Promise.all(Array.from({ length: 5 }, () => createTables(knex, { locks: true })))
    await knex.destroy()
  })
  afterEach(async () => {
    for (const close of opened.splice(0).reverse()) await close()
  })
  afterAll(() => database.drop())

  for (const listens of [false, true]) {
    lockStoreContract(onPostgres, `knex on Postgres, ${listens ? 'with' : 'without'} a listener`, async () => {
      const { store } = await open({ listens })
      const { store: rival } = await open({ listens })
      return { store, rival, close: async () => {} }
    })
  }

  describe('two processes', () => {
    let knex: Knex
    let listener: pg.Client
    let store: LockStore<true>
    let other: LockStore<true>
    beforeEach(async () => {
      ;({ knex, listener, store } = await open())
      ;({ store: other } = await open())
      await knex.raw('DELETE FROM locks')
    })

    const token = (process: LockStore<true>) =>
      withDistributedLock({ store: process, key }, (lease) => lease.fencingToken)

    test('L20: tokens are exact past 2^53, and increase over a lost, a rewound and a hurried sequence', async () => {
      const given = [await token(store), await token(other)]
      await knex.raw('DROP SEQUENCE locks_tokens')
      await createTables(knex, { locks: true })
      given.push(await token(other), await token(store))
      await knex.raw("SELECT setval('locks_tokens', 1)")
      given.push(await token(store), await token(other))
      // Ahead of the clock, as after the clock was set back.
      await knex.raw("SELECT setval('locks_tokens', nextval('locks_tokens') + 1000000000)")
      given.push(await token(store), await token(other), await token(store))
      await knex.raw('DROP SEQUENCE locks_tokens')
      await createTables(knex, { locks: true })
      expect(given[0]).toBeGreaterThan(2n ** 53n)
      expect(given.every((value) => typeof value === 'bigint')).toBe(true)
      expect(given).toEqual(given.toSorted((a, b) => (a < b ? -1 : 1)))
      expect(new Set(given).size).toBe(given.length)
      expect((given.at(-1) as bigint) - (given.at(-2) as bigint)).toBe(1024n)
    })

    test('a grant brings at most 1024 tokens, and the next begins after them', async () => {
      const ask = async (holder: string) => {
        const { signal } = new AbortController()
        return store.tryAcquire({ key, holder, ttlMs: 60_000, tokens: 5_000, signal })
      }
      const [first, second] = [await ask('a'), await ask('a')]
      if (!first.acquired || !second.acquired) throw new Error('not granted')
      expect([first.tokens, second.tokens]).toEqual([1024, 1024])
      expect(second.firstToken).toBeGreaterThanOrEqual((first.firstToken as bigint) + 1024n)
    })

    test('exclude each other, while counting without a version check', async () => {
      let count = 0
      const increments = [store, other].map(async (process) => {
        for (let n = 0; n < 20; n += 1) {
          await withDistributedLock({ store: process, key, waitMs: 20_000 }, async () => {
            const read = count
            await setTimeout(1)
            count = read + 1
          })
        }
      })
      await Promise.all(increments)
      expect(count).toBe(40)
    })

    test('L12, L13: a lease ends by the database’s clock, and its former holder frees nothing of the next one’s', async () => {
      const stale = await acquireLock({ store, key, ttlMs: 60_000 })
      await knex.raw('UPDATE locks SET ends_at_ms = 0')
      const next = await acquireLock({ store: other, key })
      expect(next.fencingToken).toBeGreaterThan(stale.fencingToken)
      await stale.release()
      await expect(withDistributedLock({ store, key, waitMs: 0 }, () => 1)).rejects.toMatchObject({
        code: 'LOCK_UNAVAILABLE',
      })
      await next.release()
      expect((await knex.raw('SELECT * FROM locks')).rows).toEqual([])
    })

    test('L14: a holder that was taken over learns of it by its next renewal', async () => {
      const stale = await acquireLock({ store, key, ttlMs: 90 })
      await knex.raw('UPDATE locks SET holder = ?', ['another'])
      await untilLost([stale])
      expect((await knex.raw('SELECT holder FROM locks')).rows).toEqual([{ holder: 'another' }])
    })

    test('S6: a renewal that finds the pool taken by a long transaction loses the lease, and says so', async () => {
      const crowded = (await open({ max: 1 })).knex
      const shared = knexLockStore({ knex: crowded })
      const lease = await acquireLock({ store: shared, key, ttlMs: 300 })
      await crowded.transaction(async () => {
        await untilLost([lease])
      })
      expect(() => lease.assertHeld()).toThrow(expect.toSatisfy(isLeaseLostError))
      await shared.close()
    })

    test('L15: a release wakes a waiter of the other process within milliseconds, whatever the key', async () => {
      const handOffs: number[] = []
      const odd = "Schlüssel '{}' 🔒"
      for (let round = 0; round < 20; round += 1) {
        const [from, to] = round % 2 === 0 ? [store, other] : [other, store]
        const held = await acquireLock({ store: from, key: odd })
        const next = acquireLock({ store: to, key: odd, waitMs: 20_000 })
        await refusals(to, 2)
        const releasedAt = performance.now()
        const released = held.release()
        const lease = await next
        handOffs.push(performance.now() - releasedAt)
        await released
        await lease.release()
      }
      const median = handOffs.toSorted((a, b) => a - b)[10] as number
      console.log(`hand-off between two processes on a lease table: median ${median.toFixed(2)} ms`)
      expect(median).toBeLessThan(50)
    })

    test('L15: without a single announcement, or the listener’s connection, waiters get the lock all the same', async () => {
      for (const silence of [
        () => listener.query('UNLISTEN *'),
        () => knex.raw('SELECT pg_terminate_backend(?)', [Reflect.get(listener, 'processID')]),
      ]) {
        const held = await acquireLock({ store: other, key })
        const waiting = withDistributedLock({ store, key, waitMs: 20_000 }, () => 'had')
        await refusals(store, 2)
        await silence()
        await held.release()
        expect(await waiting).toBe('had')
      }
    })

    test('at the end the listener is as it was, and the caller’s to use on', async () => {
      const held = await acquireLock({ store: other, key })
      const before = listener.eventNames()
      const waiting = acquireLock({ store, key, waitMs: 20_000 })
      await refusals(store, 2)
      expect((await listener.query('SELECT pg_listening_channels() AS channel')).rows).toEqual([
        { channel: 'locks_released' },
      ])
      await held.release()
      await (await waiting).release()
      await store.close()
      expect(listener.eventNames()).toEqual(before)
      expect((await listener.query('SELECT pg_listening_channels()')).rows).toEqual([])
    })

    test('L21: 2000 cycles leave no row, listener, timer or connection', async () => {
      await withDistributedLock({ store, key }, () => {})
      const listeners = () => listener.eventNames().map((event) => listener.listenerCount(event))
      const timers = () => process.getActiveResourcesInfo().filter((what) => what === 'Timeout').length
      const [listenersBefore, timersBefore] = [listeners(), timers()]
      for (let cycle = 0; cycle < 250; cycle += 1) {
        const keys = Array.from({ length: 8 }, (_, index) => `cycle:${index}`)
        await Promise.all(keys.map((each) => withDistributedLock({ store, key: each }, () => {})))
      }
      expect(listeners()).toEqual(listenersBefore)
      expect(timers()).toBeLessThanOrEqual(timersBefore + 1)
      expect((await knex.raw('SELECT * FROM locks')).rows).toEqual([])
      const { rows } = await knex.raw(
        `SELECT count(*)::integer AS n FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'locks'`,
      )
      expect(rows[0].n).toBeLessThanOrEqual(10)
    })

    test('a database that was made without the table of waiters is refused, by its name', async () => {
      await knex.raw('DROP TABLE locks_waiters')
      const cause = expect.objectContaining({ message: expect.stringContaining('"locks_waiters" does not exist') })
      await expect(withDistributedLock({ store, key }, () => {})).rejects.toMatchObject({ code: 'STORE_ERROR', cause })
      await createTables(knex, { locks: true })
      expect(await withDistributedLock({ store, key }, () => 'had')).toBe('had')
    })

    test('a listener is refused where it would be of no use', () => {
      expect(() => knexLockStore({ knex, listener: {} as never })).toThrow('listener.query must be a function')
      expect(() => knexLockStore({ knex, listener: new pg.Pool() as never })).toThrow(
        'listener must be a pg.Client, but is a pg.Pool',
      )
    })
  })
})

/** Resolves when `store` has refused `count` attempts: with an announcement in place a waiter asks twice. */
function refusals(store: LockStore, count: number): Promise<void> {
  const { tryAcquire } = Object.getPrototypeOf(store) as LockStore
  let seen = 0
  return new Promise((resolve) => {
    store.tryAcquire = async (request) => {
      const answer = await tryAcquire.call(store, request)
      if (!answer.acquired) seen += 1
      if (seen === count) resolve()
      return answer
    }
  })
}
