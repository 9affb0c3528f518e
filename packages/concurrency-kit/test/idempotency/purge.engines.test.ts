import { afterAll, beforeAll, beforeEach, expect } from 'vitest'
import { knexIdempotencyStore } from '../../src/entries/knex.ts'
import { findReplay } from '../../src/idempotency/find-replay.ts'
import { purgeExpired } from '../../src/idempotency/purge-expired.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { onPostgres } from '../support/engines.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'
import { clients, type Process } from '../support/postgres-clients.ts'
import { deferred } from '../support/rival.ts'

const { describe, test } = onPostgres

describe.each(clients.slice(0, 2))('a purge on Postgres through %s', (_name, open) => {
  let database: TestDatabase
  let process: Process<unknown>
  beforeAll(async () => {
    database = await testDatabase()
    process = open(database, { max: 1 })
  })
  afterAll(() => database.close())
  beforeEach(() =>
    database.sql.raw('TRUNCATE idempotency_records; ALTER TABLE idempotency_records SET (autovacuum_enabled = false)'),
  )

  const insertExpired = (count: number) =>
    database.sql.raw(`INSERT INTO idempotency_records (idempotency_key, fingerprint, status, created_at, expires_at)
      SELECT 'old ' || i, 'f', 'completed', now(), now() - i * interval '1 ms' FROM generate_series(1, ${count}) i`)

  test('a key that is being claimed anew is passed over, and waits for nothing', async () => {
    await insertExpired(50)
    const rival = open(database)
    const running = deferred()
    const done = deferred()
    const claimed = withIdempotency({ store: rival.store, key: 'old 7' }, async () => {
      running.resolve()
      await done.promise
      return 'new'
    })
    await running.promise
    expect(await purgeExpired({ store: process.store })).toBe(49)
    done.resolve()
    expect(await claimed).toBe('new')
    expect(await purgeExpired({ store: process.store })).toBe(0)
    expect(await findReplay({ store: process.store, key: 'old 7' })).toEqual({ found: true, result: 'new' })
  })

  test('S14: a batch does not pass over what those before it deleted, though an old snapshot keeps all of it', async () => {
    await insertExpired(40_000)
    const snapshot = await database.sql.transaction(null as never, { isolationLevel: 'repeatable read' })
    await snapshot.raw('SELECT 1 FROM idempotency_records LIMIT 1')
    const read = async () => {
      await withIdempotency({ store: process.store, key: crypto.randomUUID() }, ({ transaction }) =>
        process.query(transaction, 'SELECT pg_stat_force_next_flush()').then(() => null),
      )
      const { rows } = await database.sql.raw(
        "SELECT idx_tup_read::int AS n FROM pg_stat_user_indexes WHERE indexrelname = 'idempotency_records_expires_at'",
      )
      return rows[0].n
    }
    const before = await read()
    for (let batch = 0; batch < 20; batch += 1) expect(await process.store.purge({ limit: 250 })).toBe(250)
    const entries = (await read()) - before
    await snapshot.rollback()
    expect(entries).toBeGreaterThanOrEqual(5_000)
    expect(entries).toBeLessThan(6_000)
  })
})

describe('a purge of the caller’s own table on Postgres', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await testDatabase()
  })
  afterAll(() => database.close())

  test('S14: in partitions a live record at the place of an expired one in another stays', async () => {
    await database.sql.raw(`CREATE TABLE parted (LIKE idempotency_records INCLUDING ALL) PARTITION BY HASH (idempotency_key);
      CREATE TABLE parted_0 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
      CREATE TABLE parted_1 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
      INSERT INTO parted (idempotency_key, fingerprint, status, result, created_at, expires_at)
        SELECT i, 'f', 'completed', '1', now(), now() + CASE WHEN i % 2 = 0 THEN '1 hour' ELSE '-1 hour' END::interval
        FROM generate_series(1, 1000) i`)
    const store = knexIdempotencyStore({ knex: database.knex(), table: 'parted' })
    expect([await store.purge({ limit: 200 }), await purgeExpired({ store })]).toEqual([200, 300])
    const { rows } = await database.sql.raw('SELECT count(*)::int AS n FROM parted WHERE expires_at > now()')
    expect(rows[0].n).toBe(500)
  })

  test('its expiry may be without a time zone, and the session show times as it likes', async () => {
    const name = new URL(database.url).pathname.slice(1)
    await database.sql.raw(`CREATE TABLE requests (key text PRIMARY KEY, hash text, state text, body text,
        made timestamp, "until" timestamp);
      CREATE INDEX ON requests ("until");
      ALTER DATABASE ${name} SET DateStyle = 'SQL, DMY';
      ALTER DATABASE ${name} SET TimeZone = 'Asia/Seoul'`)
    const knex = database.knex()
    const columns = { scope: null, outcome: null, key: 'key', fingerprint: 'hash', status: 'state', result: 'body' }
    const store = knexIdempotencyStore({
      knex,
      table: 'requests',
      columns: { ...columns, createdAt: 'made', expiresAt: 'until' },
    })
    await withIdempotency({ store, key: 'kept', retentionMs: 60_000 }, () => 'kept')
    await knex.raw(`INSERT INTO requests SELECT 'old ' || i, 'f', 'completed', '1', now(), now() - i * interval '1 hour'
      FROM generate_series(1, 1000) i`)
    const batches: number[] = []
    for (;;) {
      batches.push(await store.purge({ limit: 400 }))
      if (batches.at(-1) !== 400) break
    }
    expect(batches).toEqual([400, 400, 200])
    expect(await findReplay({ store, key: 'kept' })).toEqual({ found: true, result: 'kept' })
  })
})
