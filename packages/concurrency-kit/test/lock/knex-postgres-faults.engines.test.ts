import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { createTables, knexLockStore } from '../../src/entries/knex.ts'
import { isStoreError } from '../../src/errors.ts'
import { acquireLock } from '../../src/lock/acquire-lock.ts'
import type { LockStore } from '../../src/lock/lock-store.ts'
import { withDistributedLock } from '../../src/lock/with-distributed-lock.ts'
import { type PostgresServer, startPostgres } from '../support/containers.ts'
import { onDocker, onPostgres, type PostgresDatabase, postgresDatabase } from '../support/engines.ts'
import { FaultyLine } from '../support/faulty-line.ts'
import { knexOn } from '../support/postgres-knex.ts'
import { rivalOn } from '../support/rival.ts'
import { untilLost } from '../support/until-lost.ts'

const opened: (() => Promise<unknown>)[] = []

/** A store with a pool of its own, as another process has it; commands have 300 ms. */
function open(url: string, max = 2): LockStore<true> {
  const knex = knexOn(url, { max })
  const store = knexLockStore({ knex, commandMs: 300 })
  opened.push(() => store.close().then(() => knex.destroy()))
  return store
}

async function makeTables(url: string): Promise<void> {
  const knex = knexOn(url)
  await createTables(knex, { locks: true })
  await knex.destroy()
}

async function ask(url: string, sql: string) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query(sql)
  await client.end()
  return rows
}

async function closeAll(): Promise<void> {
  for (const close of opened.splice(0).reverse()) await close()
}

onPostgres.describe('a lease table on a bad line', () => {
  const { test } = onPostgres
  let database: PostgresDatabase
  let line: FaultyLine
  let store: LockStore<true>
  let rival: LockStore<true>
  beforeAll(async () => {
    database = await postgresDatabase()
    await makeTables(database.url)
  })
  beforeEach(async () => {
    line = await FaultyLine.to(Number(new URL(database.url).port))
    store = open(line.through(database.url))
    rival = open(database.url)
    await ask(database.url, 'DELETE FROM locks')
    await withDistributedLock({ store, key: 'warm' }, () => {})
  })
  afterEach(async () => {
    await closeAll()
    await line.close()
  })
  afterAll(() => database.drop())

  const leases = () => ask(database.url, 'SELECT key, ends_at_ms FROM locks')

  /** Resolves when a lease has been prolonged, with nobody else having had it. */
  async function renewed(): Promise<void> {
    const [first] = await leases()
    await expect
      .poll(
        async () => {
          expect((await rivalOn(rival, 'k').acquire()).acquired).toBe(false)
          return Number((await leases())[0].ends_at_ms)
        },
        { timeout: 5_000 },
      )
      .toBeGreaterThan(Number(first.ends_at_ms))
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
      const before = await withDistributedLock({ store, key: 'k' }, (lease) => lease.fencingToken)
      const sprung = fault('WITH granted')
      const lease = await acquireLock({ store, key: 'k' })
      await sprung
      lease.assertHeld()
      expect(lease.fencingToken).toBeGreaterThan(before)
      expect((await rivalOn(rival, 'k').acquire()).acquired).toBe(false)
      await lease.release()
      expect(await leases()).toEqual([])
    })

    test(`L5: a renewal that is lost ${when} is sent again, and the lease is kept`, async () => {
      const lease = await acquireLock({ store, key: 'k', ttlMs: 1_500 })
      const prolonged = renewed()
      await fault('UPDATE')
      await prolonged
      lease.assertHeld()
      await lease.release()
    })

    test(`a release that is lost ${when} keeps the key for no longer than its TTL`, async () => {
      const lease = await acquireLock({ store, key: 'k', ttlMs: 700 })
      const sprung = fault('DELETE')
      await lease.release()
      await sprung
      const startedAt = performance.now()
      expect(await withDistributedLock({ store: rival, key: 'k' }, () => 'theirs')).toBe('theirs')
      expect(performance.now() - startedAt).toBeLessThan(1_000)
      expect(await leases()).toEqual([])
    })
  }

  test('L5: a line that stands still: the lease is known to be lost before another can have it, and it goes on', async () => {
    const lease = await acquireLock({ store, key: 'k', ttlMs: 600 })
    line.stall()
    const startedAt = performance.now()
    const taken = (async () => {
      for (;;) if ((await rivalOn(rival, 'k').acquire()).acquired) return performance.now() - startedAt
    })()
    const [lostMs = 0] = await untilLost([lease])
    expect(lostMs).toBeLessThan(await taken)
    await expect(withDistributedLock({ store, key: 'l' }, () => 'had')).rejects.toSatisfy(isStoreError)
    line.resume()
    await rivalOn(rival, 'k').release()
    await expect
      .poll(() => withDistributedLock({ store, key: 'k' }, () => 'had').catch(() => 'not yet'), { timeout: 5_000 })
      .toBe('had')
  })

  test('L5: a half-open connection is given up with its statement: the lease is kept on the next, and lost on none', async () => {
    const single = open(line.through(database.url), 1)
    const lease = await acquireLock({ store: single, key: 'k', ttlMs: 1_500 })
    line.halfOpen()
    await renewed()
    lease.assertHeld()
    await lease.release()
    expect(await withDistributedLock({ store: single, key: 'k' }, () => 'had')).toBe('had')
  })

  test('L19: a server that does not take connections is a StoreError in time, for everybody in line', async () => {
    line.refuse(true)
    line.cutAll()
    const calls = Array.from({ length: 20 }, () => withDistributedLock({ store, key: 'k' }, () => 'had'))
    for (const call of calls) await expect(call).rejects.toSatisfy(isStoreError)
    line.refuse(false)
    await expect
      .poll(() => withDistributedLock({ store, key: 'k' }, () => 'had').catch(() => 'not yet'), { timeout: 5_000 })
      .toBe('had')
  })
})

onDocker.describe('a lease table on a server that fails', () => {
  const { test } = onDocker
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
    await makeTables(server.url)
  }, 90_000)
  afterEach(closeAll)
  afterAll(() => server.stop())

  test('L5: paused for longer than the leases: all are known to be lost before, nobody hangs, and it goes on', async () => {
    const [store, rival] = [open(server.url), open(server.url)]
    const held = await Promise.all(['k', 'l'].map((key) => acquireLock({ store, key, ttlMs: 900 })))
    const last = Math.max(...held.map((lease) => Number(lease.fencingToken)))
    server.pause()
    try {
      const acquiring = expect(acquireLock({ store: rival, key: 'k', waitMs: 5_000 })).rejects.toSatisfy(isStoreError)
      for (const ms of await untilLost(held)) expect(ms).toBeLessThan(900)
      await acquiring
    } finally {
      server.unpause()
    }
    for (const process of [rival, store]) {
      await expect
        .poll(() => withDistributedLock({ store: process, key: 'k' }, (lease) => lease.fencingToken).catch(() => 0n), {
          timeout: 9_000,
        })
        .toBeGreaterThan(BigInt(last))
    }
  })

  test('killed and started again: what was granted still holds, and tokens go on above', async () => {
    const rival = open(server.url)
    const granted = await rivalOn(rival, 'kept').acquire()
    if (!granted.acquired) throw new Error('not granted')
    server.kill()
    await server.start()
    const store = open(server.url)
    expect((await rivalOn(store, 'kept', 'another').acquire()).acquired).toBe(false)
    expect(await rivalOn(store, 'kept').release()).toBe(true)
    const next = await rivalOn(store, 'kept', 'another').acquire()
    expect(next.acquired && (next.firstToken as bigint) > (granted.firstToken as bigint)).toBe(true)
  })
})
