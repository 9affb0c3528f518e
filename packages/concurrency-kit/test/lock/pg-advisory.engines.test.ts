import { createHash } from 'node:crypto'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { pgAdvisoryLockStore } from '../../src/entries/pg.ts'
import { lockStoreContract } from '../../src/entries/testing.ts'
import { isStoreError } from '../../src/errors.ts'
import { acquireLock } from '../../src/lock/acquire-lock.ts'
import type { LockStore } from '../../src/lock/lock-store.ts'
import { ConnectionLocks } from '../../src/lock/stores/pg-advisory/connection-locks.ts'
import { lockNumber } from '../../src/lock/stores/pg-advisory/lock-number.ts'
import { withDistributedLock } from '../../src/lock/with-distributed-lock.ts'
import { systemEnvironment } from '../../src/time/clock.ts'
import { onPostgres, type PostgresDatabase, postgresDatabase } from '../support/engines.ts'
import { FaultyLine } from '../support/faulty-line.ts'
import { pgBouncerIsThere, startPgBouncer } from '../support/pgbouncer.ts'
import { rivalOn } from '../support/rival.ts'

const { describe, test } = onPostgres
const { signal } = new AbortController()
let database: PostgresDatabase
let watcher: pg.Client
const opened: (() => Promise<void>)[] = []

/** A store with a pool of its own, as another process has it. */
function open(options: pg.PoolConfig = {}) {
  const pool = new pg.Pool({ connectionString: database.url, application_name: 'locks', ...options })
  pool.on('error', () => {})
  const store = pgAdvisoryLockStore({ pool })
  opened.push(async () => {
    await store.close()
    await pool.end()
  })
  return { pool, store }
}

async function rows(text: string, values: unknown[] = []) {
  return (await watcher.query(text, values)).rows
}

const locksOnServer = async () =>
  (
    await rows(`SELECT count(*)::integer AS n FROM pg_locks JOIN pg_database ON oid = database
    WHERE locktype = 'advisory' AND datname = current_database()`)
  )[0].n

const connections = async () =>
  (
    await rows(`SELECT count(*)::integer AS n FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'locks'`)
  )[0].n

describe('advisory locks', () => {
  beforeAll(async () => {
    database = await postgresDatabase()
    watcher = new pg.Client({ connectionString: database.url })
    await watcher.connect()
  })
  afterEach(async () => {
    for (const close of opened.splice(0).reverse()) await close()
    expect(await locksOnServer()).toBe(0)
  })
  afterAll(async () => {
    await watcher.end()
    await database.drop()
  })

  lockStoreContract(
    onPostgres,
    'pg advisory',
    async () => ({ store: open().store, rival: open().store, close: async () => {} }),
    { expires: false, fencing: false, watchesRivals: false },
  )

  describe('one connection', () => {
    test('L24: a hundred waiters on fifty keys and as many locks need no second one', async () => {
      const { store } = open({ max: 1 })
      const rival = open().store
      const keys = Array.from({ length: 50 }, (_, index) => `waited:${index}`)
      const held = await acquireLock({ store: rival, key: keys })
      const mine = await acquireLock({ store, key: keys.map((key) => `mine:${key}`) })
      const waiting = [...keys, ...keys].map((key) => withDistributedLock({ store, key, waitMs: 20_000 }, () => 'had'))
      await expect.poll(locksOnServer).toBe(100)
      expect(await connections()).toBe(2)
      await held.release()
      expect(await Promise.all(waiting)).toEqual(waiting.map(() => 'had'))
      await mine.release()
    })

    test('what gathers while a statement is under way goes with the next', async () => {
      const line = await FaultyLine.to(Number(new URL(database.url).port))
      opened.push(() => line.close())
      const { store } = open({ connectionString: line.through(database.url) })
      await withDistributedLock({ store, key: 'first' }, () => {})
      line.delay(10)
      const startedAt = performance.now()
      await Promise.all(
        Array.from({ length: 200 }, (_, index) => withDistributedLock({ store, key: `many:${index}` }, () => {})),
      )
      // Two hundred times two round trips of 20 ms would take 8 s.
      expect(performance.now() - startedAt).toBeLessThan(500)
      line.delay(0)
    })

    test('L24: a second holder on the same connection is refused, though the session could have the lock twice', async () => {
      const { store } = open()
      const other = open().store
      expect((await rivalOn(store, 'again', 'a').acquire()).acquired).toBe(true)
      expect((await rivalOn(store, 'again', 'b').acquire()).acquired).toBe(false)
      expect((await rivalOn(store, 'again', 'a').acquire()).acquired).toBe(true)
      expect(await rivalOn(store, 'again', 'b').release()).toBe(false)
      expect((await rivalOn(other, 'again', 'c').acquire()).acquired).toBe(false)
      expect(await rivalOn(store, 'again', 'a').release()).toBe(true)
      expect((await rivalOn(other, 'again', 'c').acquire()).acquired).toBe(true)
    })

    test('at the end it goes back to the pool as it was', async () => {
      const { pool, store } = open({ max: 1 })
      await rivalOn(store, 'left behind').acquire()
      await store.close()
      expect(pool.idleCount).toBe(1)
      expect((await pool.query('SELECT pg_listening_channels()')).rows).toEqual([])
      expect(await locksOnServer()).toBe(0)
      await expect(Promise.resolve(rivalOn(store, 'after').acquire())).rejects.toSatisfy(isStoreError)
      expect(pool.idleCount).toBe(1)
    })

    test('L21: 2000 cycles leave one connection, and no lock, listener or timer', async () => {
      const { pool, store } = open()
      await withDistributedLock({ store, key: 'cycle' }, () => {})
      const client = [...Reflect.get(pool, '_clients')][0] as pg.Client
      const count = () => ({
        listeners: client.eventNames().map((event) => client.listenerCount(event)),
        total: pool.totalCount,
      })
      const timers = () => process.getActiveResourcesInfo().filter((what) => what === 'Timeout').length
      const before = count()
      const timersBefore = timers()
      for (let cycle = 0; cycle < 250; cycle += 1) {
        const keys = Array.from({ length: 8 }, (_, index) => `cycle:${index}`)
        await Promise.all(keys.map((key) => withDistributedLock({ store, key }, () => {})))
      }
      expect(count()).toEqual(before)
      expect(timers()).toBeLessThanOrEqual(timersBefore)
      expect(await locksOnServer()).toBe(0)
      expect(await connections()).toBe(1)
    })
  })

  describe('numbers', () => {
    test('L24: keys whose hashes have the same 32 bits in front do not meet', async () => {
      const [one, two] = collidingIn32Bits()
      const { store } = open()
      const held = await acquireLock({ store, key: one })
      expect(await withDistributedLock({ store, key: two, waitMs: 0 }, () => 'free')).toBe('free')
      await held.release()
    })

    test('L17: two thousand keys are two thousand locks, each released by itself', async () => {
      const { store } = open()
      const other = open().store
      const keys = Array.from({ length: 2_000 }, (_, index) => `own:${index}`)
      const leases = await Promise.all(keys.map((key) => acquireLock({ store, key })))
      expect(await locksOnServer()).toBe(2_000)
      await Promise.all(leases.filter((_, index) => index % 2 === 0).map((lease) => lease.release()))
      expect(await locksOnServer()).toBe(1_000)
      for (const index of [0, 1, 1_000, 1_001]) {
        const answer = await rivalOn(other, `own:${index}`).acquire()
        expect(answer.acquired).toBe(index % 2 === 0)
        await rivalOn(other, `own:${index}`).release()
      }
      for (const lease of leases) lease.release()
      await expect.poll(locksOnServer).toBe(0)
    })

    test('L17: two keys with one number wait for each other, and neither releases the other’s', async () => {
      const { pool } = open()
      const locks = new ConnectionLocks({ pool, commandMs: 2_000, clock: systemEnvironment.clock })
      const never = () => expect.unreachable()
      expect(await locks.acquire(-7n, 'a', never, signal)).toBe(true)
      expect(await locks.acquire(-7n, 'b', never, signal)).toBe(false)
      expect(await locks.release(-7n, 'b')).toBe(false)
      expect(await locks.prove(-7n, 'b', signal)).toBe(false)
      expect(await locks.prove(-7n, 'a', signal)).toBe(true)
      let calls = 0
      const free = new Promise<void>((resolve) => {
        const unwatch = locks.watch(-7n, () => {
          calls += 1
          if (calls === 1) return
          unwatch()
          resolve()
        })
      })
      expect(await locks.release(-7n, 'a')).toBe(true)
      await free
      expect(await locks.acquire(-7n, 'b', never, signal)).toBe(true)
      await locks.close()
    })
  })

  describe('waking up', () => {
    test('L15: a release in another process wakes the next within milliseconds', async () => {
      const stores = [open().store, open().store]
      const handOffs: number[] = []
      for (let round = 0; round < 20; round += 1) {
        const [from, to] = (round % 2 === 0 ? stores : stores.toReversed()) as [LockStore, LockStore]
        const held = await acquireLock({ store: from, key: 'handed' })
        const inPlace = watching(to, 'handed')
        const next = acquireLock({ store: to, key: 'handed', waitMs: 20_000 })
        await inPlace
        const releasedAt = performance.now()
        const released = held.release()
        const lease = await next
        handOffs.push(performance.now() - releasedAt)
        await released
        await lease.release()
      }
      const median = handOffs.toSorted((a, b) => a - b)[10] as number
      console.log(`hand-off between two processes on advisory locks: median ${median.toFixed(2)} ms`)
      expect(median).toBeLessThan(50)
    })

    test('L15: without a single announcement waiters get the lock all the same', async () => {
      const { store } = open()
      const number = String(lockNumber('silent'))
      await rows('SELECT pg_advisory_lock($1::bigint)', [number])
      const inPlace = watching(store, 'silent')
      const waiting = withDistributedLock({ store, key: 'silent', waitMs: 20_000 }, () => 'had')
      await inPlace
      await rows('SELECT pg_advisory_unlock($1::bigint)', [number])
      expect(await waiting).toBe('had')
    })
  })

  const onPgBouncer = pgBouncerIsThere ? describe : describe.skip
  onPgBouncer('behind PgBouncer', () => {
    for (const poolMode of ['transaction', 'session'] as const) {
      test(`L24: in ${poolMode} mode the first lock says that it cannot be, and leaves nothing`, async () => {
        const bouncer = await startPgBouncer(database.url, poolMode)
        opened.push(bouncer.stop)
        const { pool, store } = open({ connectionString: bouncer.url })
        const refused = withDistributedLock({ store, key: 'pooled' }, () => expect.unreachable())
        await expect(refused).rejects.toThrow(/pooler such as PgBouncer/)
        await expect(refused).rejects.toSatisfy(isStoreError)
        expect(pool.idleCount).toBe(pool.totalCount)
      })
    }
  })
})

/** Resolves when somebody of this process waits for an announcement of `key`. */
function watching(store: LockStore, key: string): Promise<void> {
  const { watch } = Object.getPrototypeOf(store) as Required<LockStore>
  return new Promise((resolve) => {
    store.watch = (watched, mayBeFree) => {
      if (watched === key) resolve()
      return watch.call(store, watched, mayBeFree)
    }
  })
}

function collidingIn32Bits(): [string, string] {
  const seen = new Map<number, string>()
  for (let n = 0; ; n += 1) {
    const key = `key:${n}`
    const bits = createHash('sha256').update(key).digest().readUInt32BE(0)
    const other = seen.get(bits)
    if (other !== undefined) return [other, key]
    seen.set(bits, key)
  }
}
