import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { pgAdvisoryLockStore } from '../../src/entries/pg.ts'
import { isStoreError } from '../../src/errors.ts'
import { acquireLock } from '../../src/lock/acquire-lock.ts'
import type { LockStore } from '../../src/lock/lock-store.ts'
import { withDistributedLock } from '../../src/lock/with-distributed-lock.ts'
import { type PostgresServer, startPostgres } from '../support/containers.ts'
import { onDocker, onPostgres, type PostgresDatabase, postgresDatabase } from '../support/engines.ts'
import { FaultyLine } from '../support/faulty-line.ts'
import { rivalOn } from '../support/rival.ts'
import { untilLost } from '../support/until-lost.ts'

const opened: (() => Promise<unknown>)[] = []

/** A store with a pool of its own, as another process has it; commands have 300 ms. */
function open(url: string): LockStore<false> {
  const pool = new pg.Pool({ connectionString: url, application_name: 'locks', max: 1, connectionTimeoutMillis: 500 })
  pool.on('error', () => {})
  const store = pgAdvisoryLockStore({ pool, commandMs: 300 })
  opened.push(() => store.close().then(() => pool.end()))
  return store
}

async function watcherOf(url: string) {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  opened.push(() => client.end())
  const count = async (sql: string) => (await client.query(`SELECT count(*)::integer AS n FROM ${sql}`)).rows[0].n
  return {
    client,
    locks: (): Promise<number> =>
      count(`pg_locks JOIN pg_database ON oid = database WHERE locktype = 'advisory' AND datname = current_database()`),
    connections: (): Promise<number> =>
      count(`pg_stat_activity WHERE application_name = 'locks' AND datname = current_database()`),
    terminate: () =>
      client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity JOIN pg_locks USING (pid)
        WHERE application_name = 'locks' AND locktype = 'advisory' AND datname = current_database()`),
  }
}

async function closeAll(): Promise<void> {
  for (const close of opened.splice(0).reverse()) await close()
}

onPostgres.describe('advisory locks on a bad line', () => {
  const { test } = onPostgres
  let database: PostgresDatabase
  let line: FaultyLine
  beforeAll(async () => {
    database = await postgresDatabase()
  })
  afterEach(async () => {
    await closeAll()
    await line.close()
  })
  afterAll(() => database.drop())

  async function setUp() {
    line = await FaultyLine.to(Number(new URL(database.url).port))
    const store = open(line.through(database.url))
    await withDistributedLock({ store, key: 'warm' }, () => {})
    return { store, rival: open(database.url), watcher: await watcherOf(database.url) }
  }

  for (const [when, fault] of [
    ['before the server has it', (text: string) => line.next('request', text, 'cut')],
    ['half way to the server', (text: string) => line.next('request', text, 'halve')],
    ['after the server did it', (text: string) => line.nextReplyTo(text, 'cut')],
    ['in the middle of the answer', (text: string) => line.nextReplyTo(text, 'halve')],
    ['when the answer is swallowed', (text: string) => line.nextReplyTo(text, 'swallow')],
    ['when the request is swallowed', (text: string) => line.next('request', text, 'swallow')],
  ] as const) {
    test(`L6, L7: an acquire that is lost ${when} is had by asking again, and leaves nothing`, async () => {
      const { store, rival, watcher } = await setUp()
      const sprung = fault('try_lock')
      const lease = await acquireLock({ store, key: 'k' })
      await sprung
      lease.assertHeld()
      expect((await rivalOn(rival, 'k').acquire()).acquired).toBe(false)
      await lease.release()
      expect(await watcher.locks()).toBe(0)
      expect((await rivalOn(rival, 'k').acquire()).acquired).toBe(true)
    })

    test(`L5: a proof that is lost ${when} ends the leases of the connection in time, and the key is free`, async () => {
      const { store, rival } = await setUp()
      const leases = await Promise.all(['k', 'l'].map((key) => acquireLock({ store, key, ttlMs: 900 })))
      const lost = untilLost(leases)
      await fault('pg_locks')
      for (const ms of await lost) expect(ms).toBeLessThan(900)
      expect(await withDistributedLock({ store, key: 'k' }, () => 'mine again')).toBe('mine again')
      expect(await withDistributedLock({ store: rival, key: 'l' }, () => 'free')).toBe('free')
    })

    test(`a release that is lost ${when} does not keep the key`, async () => {
      const { store, rival, watcher } = await setUp()
      const lease = await acquireLock({ store, key: 'k' })
      const sprung = fault('concurrency_kit_unlock')
      await lease.release()
      await sprung
      expect(await withDistributedLock({ store, key: 'k' }, () => 'mine')).toBe('mine')
      expect(await withDistributedLock({ store: rival, key: 'k' }, () => 'theirs')).toBe('theirs')
      await expect.poll(watcher.locks).toBe(0)
      await expect.poll(watcher.connections).toBe(2)
    })
  }

  test('L24, L5: a half-open connection is noticed by the ping, and what the server kept for it is freed by the next', async () => {
    const { store, rival, watcher } = await setUp()
    const leases = await Promise.all(['k', 'l', 'm'].map((key) => acquireLock({ store, key, ttlMs: 600 })))
    line.halfOpen()
    for (const ms of await untilLost(leases)) expect(ms).toBeLessThan(600)
    // The server has not heard of it.
    expect(await watcher.locks()).toBe(3)
    expect((await rivalOn(rival, 'k').acquire()).acquired).toBe(false)
    expect(await withDistributedLock({ store, key: 'l' }, () => 'mine again')).toBe('mine again')
    expect(await withDistributedLock({ store: rival, key: 'k' }, () => 'free')).toBe('free')
    expect(await watcher.locks()).toBe(0)
  })

  test('a line that stands still for a moment loses nothing', async () => {
    const { store } = await setUp()
    const lease = await acquireLock({ store, key: 'k', ttlMs: 600 })
    line.stall()
    // The first proof is asked for after 200 ms.
    setTimeout(() => line.resume(), 300)
    await line.nextReplyTo('held', 0)
    lease.assertHeld()
    await lease.release()
  })

  test('a terminated backend: every lease is known to be lost at once, and the next connection serves on', async () => {
    const { store, rival, watcher } = await setUp()
    const overlaps: number[] = []
    for (let round = 0; round < 10; round += 1) {
      const keys = Array.from({ length: 20 }, (_, index) => `k${index}`)
      const leases = await Promise.all(keys.map((key) => acquireLock({ store, key })))
      const waiting = acquireLock({ store, key: 'k0', waitMs: 10_000 })
      const startedAt = performance.now()
      const lost = untilLost(leases)
      const taken = (async () => {
        for (;;) if ((await rivalOn(rival, 'k1').acquire()).acquired) return performance.now() - startedAt
      })()
      await watcher.terminate()
      const lostMs = await lost
      overlaps.push((lostMs[1] as number) - (await taken))
      expect(Math.max(...lostMs) - Math.min(...lostMs)).toBeLessThan(50)
      await rivalOn(rival, 'k1').release()
      await (await waiting).release()
    }
    const most = Math.max(0, ...overlaps)
    console.log(
      `advisory locks, backend terminated: overlap of at most ${most.toFixed(1)} ms in ${overlaps.length} rounds`,
    )
    expect(most).toBeLessThan(150)
    expect(await watcher.locks()).toBe(0)
  })

  test('L10: nobody has to listen when the connection is lost with nothing under way', async () => {
    const { store, watcher } = await setUp()
    line.cutAll()
    await expect.poll(watcher.connections).toBe(0)
    expect(await withDistributedLock({ store, key: 'k' }, () => 'on a new one')).toBe('on a new one')
  })

  test('L19: a server that does not take connections is a StoreError in time, for everybody in line', async () => {
    const { store } = await setUp()
    line.refuse(true)
    line.cutAll()
    const calls = Array.from({ length: 20 }, () => withDistributedLock({ store, key: 'k' }, () => 'had'))
    for (const call of calls) await expect(call).rejects.toSatisfy(isStoreError)
    line.refuse(false)
    line.halfOpen()
    line.stall()
    const startedAt = performance.now()
    await expect(withDistributedLock({ store, key: 'k' }, () => 'had')).rejects.toSatisfy(isStoreError)
    expect(performance.now() - startedAt).toBeLessThan(1_500)
    line.resume()
    await expect
      .poll(() => withDistributedLock({ store, key: 'k' }, () => 'had').catch(() => 'not yet'), { timeout: 5_000 })
      .toBe('had')
  })
})

onDocker.describe('advisory locks on a server that fails', () => {
  const { test } = onDocker
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  }, 90_000)
  afterEach(closeAll)
  afterAll(() => server.stop())

  test('L5: paused for longer than the leases: all are known to be lost before, nobody hangs, and it goes on', async () => {
    const [store, rival] = [open(server.url), open(server.url)]
    const leases = await Promise.all(['k', 'l'].map((key) => acquireLock({ store, key, ttlMs: 900 })))
    server.pause()
    try {
      const acquiring = expect(acquireLock({ store: rival, key: 'k', waitMs: 5_000 })).rejects.toSatisfy(isStoreError)
      for (const ms of await untilLost(leases)) expect(ms).toBeLessThan(900)
      await acquiring
    } finally {
      server.unpause()
    }
    for (const lease of leases) await lease.release()
    for (const process of [rival, store]) {
      await expect
        .poll(() => withDistributedLock({ store: process, key: 'k' }, () => 'had').catch(() => 'not yet'), {
          timeout: 9_000,
        })
        .toBe('had')
    }
    const watcher = await watcherOf(server.url)
    await expect.poll(watcher.locks).toBe(0)
  })

  test('killed and started again: the leases are lost at once, and locks can be had again', async () => {
    const store = open(server.url)
    const leases = await Promise.all(['k', 'l'].map((key) => acquireLock({ store, key })))
    const lost = untilLost(leases)
    server.kill()
    for (const ms of await lost) expect(ms).toBeLessThan(1_000)
    await server.start()
    expect(await withDistributedLock({ store, key: 'k' }, () => 'had')).toBe('had')
  })

  test('a full lock table refuses the locks that were too many, and neither keeps them nor loses the others', async () => {
    const store = open(server.url)
    const watcher = await watcherOf(server.url)
    const held = await acquireLock({ store, key: 'held', ttlMs: 600 })
    const fill = watcher.client.query('SELECT count(pg_advisory_lock(n)) FROM generate_series(1, 1000000) AS n')
    await expect(fill).rejects.toMatchObject({ code: '53200' })
    const many = Array.from({ length: 50 }, (_, index) => rivalOn(store, `many:${index}`).acquire())
    const refused = (await Promise.allSettled(many)).filter((answer) => answer.status === 'rejected')
    expect(refused.length).toBeGreaterThan(0)
    for (const { reason } of refused) expect(isStoreError(reason)).toBe(true)
    await watcher.client.query('SELECT pg_advisory_unlock_all()')
    expect(await watcher.locks()).toBe(1 + many.length - refused.length)
    held.assertHeld()
    await held.release()
  })
})

onPostgres.describe('a server that refuses what the store begins with', () => {
  onPostgres.test('L24: the connection goes back each time, and the pool does not run dry', async () => {
    const { url, drop } = await postgresDatabase()
    const role = `limited_${randomUUID().replaceAll('-', '')}`
    const admin = new pg.Client({ connectionString: url })
    await admin.connect()
    await admin.query(`CREATE ROLE ${role}; REVOKE SELECT ON pg_stat_activity FROM PUBLIC`)
    const pool = new pg.Pool({ connectionString: url, options: `-c role=${role}`, max: 2 })
    const store = pgAdvisoryLockStore({ pool })
    for (let call = 0; call < 3; call += 1) {
      await expect(acquireLock({ store, key: 'k' })).rejects.toMatchObject({ code: 'STORE_ERROR' })
      expect(pool.totalCount - pool.idleCount).toBe(0)
    }
    await admin.query(`GRANT SELECT ON pg_stat_activity TO ${role}`)
    const lease = await acquireLock({ store, key: 'k' })
    await lease.release()
    await store.close()
    await pool.end()
    await admin.query(`REVOKE SELECT ON pg_stat_activity FROM ${role}; DROP ROLE ${role}`)
    await admin.end()
    await drop()
  })
})
