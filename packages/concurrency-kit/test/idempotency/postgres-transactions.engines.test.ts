import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect } from 'vitest'
import { isIdempotencyInProgressError, isStoreError } from '../../src/errors.ts'
import { findReplay } from '../../src/idempotency/find-replay.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { ISOLATION_LEVELS } from '../../src/sql/isolation-level.ts'
import { postgres } from '../../src/sql/postgres.ts'
import { onPostgres } from '../support/engines.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'
import { clients, credit, type Process } from '../support/postgres-clients.ts'
import { deferred } from '../support/rival.ts'

const { describe, test } = onPostgres

describe.each(clients)('transactions of records on Postgres through %s', (_name, open) => {
  let database: TestDatabase
  let process: Process<unknown>
  beforeAll(async () => {
    database = await testDatabase()
    process = open(database)
  })
  afterAll(() => database.close())
  beforeEach(() =>
    database.sql.raw('TRUNCATE idempotency_records, effects; UPDATE accounts SET balance = 0, version = 1'),
  )

  const counts = async () => [await database.count('effects'), await database.count('idempotency_records')]
  const insert = (transaction: unknown, note: string) =>
    process.query(transaction, `INSERT INTO effects (note) VALUES ('${note}')`)
  const raise = (state: string) => `DO $$ BEGIN RAISE EXCEPTION 'raised' USING ERRCODE = '${state}'; END $$`

  test('S1, S11: an SQL error that the handler swallows undoes all of it, and the call says so', async () => {
    const { store } = process
    const error = await withIdempotency({ store, key: 'a' }, async ({ transaction }) => {
      await insert(transaction, 'once')
      await insert(transaction, 'once').catch(() => {})
      return 'done'
    }).catch((caught) => caught)
    expect(isStoreError(error)).toBe(true)
    expect(error.cause.cause ?? error.cause).toMatchObject({ code: '23505' })
    expect(await counts()).toEqual([0, 0])
  })

  test.each(['ROLLBACK', 'ROLLBACK; BEGIN', 'SELECT 1; COMMIT', 'SELECT 1; COMMIT; BEGIN'])(
    'S11: a handler that sends %s does not get a result recorded beside it',
    async (sql) => {
      const { store } = process
      const call = withIdempotency({ store, key: 'a' }, async ({ transaction }) => {
        await process.query(transaction, sql)
        return 'done'
      })
      expect(isStoreError(await call.catch((error) => error))).toBe(true)
      expect(await findReplay({ store, key: 'a' })).toEqual({ found: false })
      const left = await database.sql.raw(`SELECT count(*)::int AS n FROM pg_stat_activity
        WHERE datname = current_database() AND state LIKE 'idle in%'`)
      expect(left.rows[0].n).toBe(0)
    },
  )

  test('S9, I6: a unique violation of the caller’s own comes through as thrown, and runs once', async () => {
    const { store } = process
    let ran = 0
    const call = withIdempotency({ store, key: 'a' }, async ({ transaction }) => {
      ran += 1
      await insert(transaction, 'once')
      await insert(transaction, 'once')
    })
    await expect(call).rejects.toMatchObject({ code: '23505' })
    const own = Object.assign(new Error('looks like one'), { code: '40001' })
    await expect(withIdempotency({ store, key: 'a' }, () => Promise.reject(own))).rejects.toBe(own)
    expect([ran, ...(await counts())]).toEqual([1, 0, 0])
  })

  test.each(['40001', '40P01'])(
    'S2: %s in the handler runs all of it again, even if it is swallowed',
    async (state) => {
      const { store } = process
      const attempts: number[] = []
      const call = withIdempotency({ store, key: 'a' }, async ({ transaction, attempt }) => {
        attempts.push(attempt)
        await insert(transaction, 'once')
        if (attempt === 1) await process.query(transaction, raise(state))
        if (attempt === 2) await process.query(transaction, raise(state)).catch(() => {})
        return attempt
      })
      expect(await call).toBe(3)
      expect([attempts, ...(await counts())]).toEqual([[1, 2, 3], 1, 1])
    },
  )

  test('a statement that was cancelled is no reason to run again', async () => {
    const { store } = process
    let ran = 0
    const call = withIdempotency({ store, key: 'a' }, async ({ transaction }) => {
      ran += 1
      await process.query(transaction, raise('57014'))
    })
    await expect(call).rejects.toMatchObject({ code: '57014' })
    expect(ran).toBe(1)
  })

  test('waitMs bounds the wait for a rival in another process, and 0 does not wait', async () => {
    const rival = open(database)
    const running = deferred()
    const done = deferred()
    const held = withIdempotency({ store: rival.store, key: 'a' }, async () => {
      running.resolve()
      await done.promise
      return 'by the rival'
    })
    await running.promise
    for (const [waitMs, most] of [
      [0, 90],
      [100, 400],
    ] as const) {
      const startedMs = performance.now()
      const call = withIdempotency({ store: process.store, key: 'a', waitMs }, () => expect.unreachable())
      expect(isIdempotencyInProgressError(await call.catch((error) => error))).toBe(true)
      const tookMs = performance.now() - startedMs
      expect(tookMs).toBeGreaterThanOrEqual(waitMs)
      expect(tookMs).toBeLessThan(most)
    }
    const waiting = withIdempotency({ store: process.store, key: 'a' }, () => expect.unreachable())
    done.resolve()
    expect(await Promise.all([held, waiting])).toEqual(['by the rival', 'by the rival'])
  })

  test('its signal ends the waiting for a rival, with its reason; the pool goes on', async () => {
    const rival = open(database)
    const running = deferred()
    const done = deferred()
    const held = withIdempotency({ store: rival.store, key: 'a' }, async () => {
      running.resolve()
      await done.promise
    })
    await running.promise
    const abort = new AbortController()
    const call = withIdempotency({ store: process.store, key: 'a', signal: abort.signal }, () => expect.unreachable())
    const waiting = `SELECT count(*)::int AS n FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`
    await expect.poll(async () => (await database.sql.raw(waiting)).rows[0].n).toBe(1)
    abort.abort('left')
    await expect(call).rejects.toBe('left')
    expect(await withIdempotency({ store: process.store, key: 'b' }, () => 'goes on')).toBe('goes on')
    done.resolve()
    await held
  })

  test('a handler that is too slow for the server fails, and is not run again', async () => {
    const name = new URL(database.url).pathname.slice(1)
    await database.sql.raw(`ALTER DATABASE ${name} SET idle_in_transaction_session_timeout = '30ms'`)
    const impatient = open(database)
    let ran = 0
    const call = withIdempotency({ store: impatient.store, key: 'a' }, async ({ transaction }) => {
      ran += 1
      await setTimeout(100)
      await credit(impatient, transaction)
    })
    expect(isStoreError(await call.catch((error) => error))).toBe(true)
    await database.sql.raw(`ALTER DATABASE ${name} RESET idle_in_transaction_session_timeout`)
    expect([ran, await database.count('idempotency_records')]).toEqual([1, 0])
  })

  test('the handler’s statements have the session’s own lock_timeout back', async () => {
    const { store } = process
    const show = async ({ transaction }: { transaction: unknown }) =>
      String((await process.query(transaction, 'SHOW lock_timeout'))[0]?.['lock_timeout'])
    expect(await withIdempotency({ store, key: 'a' }, show)).toBe('0')
    await database.sql.raw(`ALTER DATABASE ${new URL(database.url).pathname.slice(1)} SET lock_timeout = '7s'`)
    expect(await withIdempotency({ store: open(database).store, key: 'b' }, show)).toBe('7s')
    await database.sql.raw(`ALTER DATABASE ${new URL(database.url).pathname.slice(1)} RESET lock_timeout`)
  })

  describe.each(ISOLATION_LEVELS)('at %s', (isolationLevel) => {
    test('S2: a rival’s commit is replayed, a rival’s rollback lets the next one run', async () => {
      for (const fails of [false, true]) {
        const [first, second] = [open(database, { isolationLevel }), open(database, { isolationLevel })]
        const running = deferred()
        const call = (store: typeof first.store, name: string) =>
          withIdempotency({ store, key: `fails: ${fails}` }, async () => {
            running.resolve()
            await setTimeout(30)
            if (fails && name === 'first') throw new Error('declined')
            return name
          })
        const outcome = call(first.store, 'first').catch((error) => error.message)
        await running.promise
        expect([await call(second.store, 'second'), await outcome]).toEqual(
          fails ? ['second', 'declined'] : ['first', 'first'],
        )
      }
    })

    test('I1, S8: 20 writers of two processes, every key twice: each charge once, the sum exact', async () => {
      const processes = [open(database, { isolationLevel }), open(database, { isolationLevel })] as const
      const answers = await Promise.all(
        Array.from({ length: 40 }, (_, n) => {
          const writer = processes[n % 2 === 0 ? 0 : 1]
          const call = { store: writer.store, key: `key ${n >> 1}`, maxAttempts: 1_000, waitMs: 20_000 }
          return withIdempotency(call, ({ transaction }) => credit(writer, transaction))
        }),
      )
      expect(new Set(answers.map(({ balance }) => balance)).size).toBe(20)
      const { rows } = await database.sql.raw('SELECT balance, version::int FROM accounts')
      expect(rows).toEqual([{ balance: 20, version: 21 }])
    })

    test('S7: a row that changed since the snapshot runs all of it again, never the same old version', async () => {
      const writer = open(database, { isolationLevel })
      const attempts: number[] = []
      const account = await withIdempotency({ store: writer.store, key: 'a' }, async ({ transaction, attempt }) => {
        attempts.push(attempt)
        await writer.query(transaction, 'SELECT * FROM accounts')
        if (attempt === 1) await database.sql.raw('UPDATE accounts SET balance = 100, version = version + 1')
        return credit(writer, transaction)
      })
      expect(account.balance).toBe(101)
      expect(attempts).toEqual(isolationLevel === 'read committed' ? [1] : [1, 2])
    })
  })

  test('S6, C6: 200 callers on one key with a pool of 2, and a rival in another process: others go on', async () => {
    const rival = open(database)
    const small = open(database, { max: 2 })
    const running = deferred()
    const done = deferred()
    const held = withIdempotency({ store: rival.store, key: 'a' }, async () => {
      running.resolve()
      await done.promise
      return 'one answer'
    })
    await running.promise
    const callers = Array.from({ length: 200 }, () =>
      withIdempotency({ store: small.store, key: 'a' }, () => expect.unreachable()),
    )
    const others = Array.from({ length: 20 }, (_, n) =>
      withIdempotency({ store: small.store, key: `other ${n}` }, ({ transaction }) => credit(small, transaction)),
    )
    await Promise.all(others)
    expect(await findReplay({ store: small.store, key: 'other 1' })).toMatchObject({ found: true })
    done.resolve()
    expect(new Set(await Promise.all([held, ...callers]))).toEqual(new Set(['one answer']))
    expect((await database.sql.raw('SELECT balance FROM accounts')).rows[0].balance).toBe(20)
  })

  test('C6: a pool that stays exhausted ends in a transient StoreError, and nothing ran', async () => {
    const small = open(database, { max: 1, commandMs: 50 })
    const giveBack = await small.occupy()
    const startedMs = performance.now()
    const call = withIdempotency({ store: small.store, key: 'a', waitMs: 60 }, () => expect.unreachable())
    await expect(call).rejects.toMatchObject({ code: 'STORE_ERROR', transient: true })
    expect(performance.now() - startedMs).toBeLessThan(2_000)
    await expect(findReplay({ store: small.store, key: 'a' })).rejects.toMatchObject({ code: 'STORE_ERROR' })
    await giveBack()
    expect(await withIdempotency({ store: small.store, key: 'a' }, () => 'room again')).toBe('room again')
  })

  test('S12, S3: the very text of the result, and times that people read, from when the claim was made', async () => {
    const { store } = process
    await withIdempotency({ store, key: 'a', retentionMs: 60_000 }, async ({ transaction }) => {
      await process.query(transaction, 'SELECT pg_sleep(0.02)')
      return { b: 1.5, a: ['가', 1e21] }
    })
    const { rows } = await database.sql.raw(`SELECT result, status, pg_typeof(result)::text AS type,
      pg_typeof(created_at)::text AS time, round(extract(epoch FROM expires_at - created_at))::int AS kept FROM idempotency_records`)
    expect(rows).toEqual([
      {
        result: '{"b":1.5,"a":["가",1e+21]}',
        status: 'completed',
        type: 'text',
        time: 'timestamp with time zone',
        kept: 60,
      },
    ])
  })

  test('C8: an expired key is replaced, not inserted again, whatever became of it', async () => {
    const { store } = process
    const call = (result: number) => withIdempotency({ store, key: 'a' }, () => result)
    expect([await call(1), await call(2)]).toEqual([1, 1])
    await database.sql.raw("UPDATE idempotency_records SET expires_at = now() - interval '1 ms'")
    expect(await findReplay({ store, key: 'a' })).toEqual({ found: false })
    expect([await call(3), await call(4)]).toEqual([3, 3])
    await database.sql.raw("UPDATE idempotency_records SET expires_at = now(), status = 'in_progress'")
    expect(await call(5)).toBe(5)
  })

  test('S14: a purge goes through the index on the expiry, though the table was never analysed', async () => {
    await database.sql.raw(`ALTER TABLE idempotency_records SET (autovacuum_enabled = false);
      INSERT INTO idempotency_records (idempotency_key, fingerprint, status, created_at, expires_at)
      SELECT i, 'f', 'completed', now(), now() + (CASE WHEN i % 2 = 0 THEN -1 ELSE 1 END) * interval '1 day' FROM generate_series(1, 5000) i`)
    const purgeSql = postgres.purge('idempotency_records', 'expires_at')
    const { rows } = await database.sql.raw(`EXPLAIN ${purgeSql}`, [postgres.firstExpiry as string, 1_000])
    const plan = rows.map((row: Record<string, string>) => row['QUERY PLAN']).join('\n')
    expect(plan).toMatch(/Index Scan (using|on) idempotency_records_expires_at/)
    expect(plan).toMatch(/Index Cond: .*expires_at <= statement_timestamp\(\)/)
    expect(plan).not.toContain('Seq Scan')
    const purge = () => process.store.purge({ limit: 1_000 })
    expect([await purge(), await purge(), await purge()]).toEqual([1_000, 1_000, 500])
  })
})
