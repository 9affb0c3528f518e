import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect } from 'vitest'
import { pgVersionedStore } from '../../src/entries/pg.ts'
import { isStoreError } from '../../src/errors.ts'
import { findReplay } from '../../src/idempotency/find-replay.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { optimisticUpdate } from '../../src/optimistic/optimistic-update.ts'
import { onPostgres } from '../support/engines.ts'
import { type PgBouncer, pgBouncerIsThere, startPgBouncer } from '../support/pgbouncer.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'
import { type Account, clients, type Process } from '../support/postgres-clients.ts'

const { describe, test } = onPostgres

/** What others do to a connection between two statements, or to the tables; the last of a table puts it right again. */
const CHANGES: Readonly<Record<string, (process: Process<unknown>, database: TestDatabase) => Promise<unknown>>> = {
  'DEALLOCATE ALL': ({ ask }) => ask('DEALLOCATE ALL'),
  'DISCARD ALL': ({ ask }) => ask('DISCARD ALL'),
  ...Object.fromEntries(
    [
      'idempotency_records ADD COLUMN IF NOT EXISTS note text',
      'idempotency_records DROP COLUMN IF EXISTS note',
      'idempotency_records ALTER COLUMN result TYPE varchar',
      'idempotency_records ALTER COLUMN result TYPE text',
      'accounts ADD COLUMN IF NOT EXISTS note text',
      'accounts DROP COLUMN IF EXISTS note',
      'accounts ALTER COLUMN balance TYPE bigint',
      'accounts ALTER COLUMN balance TYPE int',
    ].map((change) => [change, (_: unknown, { sql }: TestDatabase) => sql.raw(`ALTER TABLE ${change}`)]),
  ),
}

const credited = ({ id, balance }: Account): Account => ({ id, balance: Number(balance) + 1 })

function credit(process: Process<unknown>, transaction: unknown): Promise<Account> {
  return optimisticUpdate({ store: process.accounts.within(transaction), id: 1 }, credited)
}

type Path = (process: Process<unknown>) => Promise<unknown> | undefined

/** Every way to the database: each resolves, whatever others have done. */
const PATHS: Readonly<Record<string, Path>> = {
  'finding a record': async ({ store }) => {
    expect(await findReplay({ store, key: 'known' })).toEqual({ found: true, result: 'known' })
  },
  'replaying a record': async ({ store }) => {
    expect(await withIdempotency({ store, key: 'known' }, () => expect.unreachable())).toBe('known')
  },
  'a claim and its completion': async ({ store }) => {
    const keys = [randomUUID(), randomUUID(), randomUUID()]
    // At the same time: with group commit they share a transaction.
    expect(await Promise.all(keys.map((key) => withIdempotency({ store, key }, () => key)))).toEqual(keys)
  },
  'a versioned row in a handler’s transaction': (process) =>
    withIdempotency({ store: process.store, key: randomUUID() }, ({ transaction }) => credit(process, transaction)),
  'a purge': ({ store }) => store.purge({ limit: 10 }),
  'reading a versioned row': ({ accounts }) => accounts.read({ id: 1, lock: false }),
  'writing a versioned row': async ({ accounts }) => {
    const current = await accounts.read({ id: 1, lock: false })
    if (current === undefined) expect.unreachable()
    const { version: expectedVersion, value } = current
    expect(await accounts.compareAndSet({ id: 1, expectedVersion, value: credited(value) })).toMatchObject({
      stored: true,
    })
  },
  'an update under the row’s lock': async ({ accounts }) => {
    expect(await accounts.updateLocked?.({ id: 1 }, ({ value }) => ({ value: credited(value) }))).toBeDefined()
  },
}

describe.each(clients)('statements that were prepared before something changed, through %s', (_name, open) => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await testDatabase()
  })
  afterAll(() => database.close())
  beforeEach(() =>
    database.sql.raw('TRUNCATE idempotency_records, effects; UPDATE accounts SET balance = 0, version = 1'),
  )
  const opened = async (max: number) => {
    const process = open(database, { max })
    await withIdempotency({ store: process.store, key: 'known' }, () => 'known')
    return process
  }

  for (const [what, path] of Object.entries(PATHS)) {
    test(`V3: ${what} is not disturbed`, async () => {
      const failures: string[] = []
      const process = await opened(1)
      for (const [change, apply] of Object.entries(CHANGES)) {
        // Prepared by now.
        for (const _ of [1, 2]) await path(process)?.catch(() => {})
        await apply(process, database)
        for (const time of ['first', 'second'])
          await path(process)?.catch((error) => failures.push(`${change}, ${time} time: ${error}: ${error.cause}`))
      }
      expect(failures).toEqual([])
    })
  }

  /** Pays under the key; `once` happens in the first run of the handler, before it credits. */
  async function paid(process: Process<unknown>, key: string, once?: (transaction: unknown) => Promise<unknown>) {
    const attempts: number[] = []
    const account = await withIdempotency({ store: process.store, key }, async ({ transaction, attempt }) => {
      attempts.push(attempt)
      await process.query(transaction, `INSERT INTO effects (note) VALUES ('${key}')`)
      if (attempts.length === 1) await once?.(transaction)
      return credit(process, transaction)
    })
    return { balance: account.balance, attempts }
  }

  test('V3: a connection that forgets its statements while a handler runs fails nobody: each effect is there once', async () => {
    const process = await opened(1)
    await paid(process, 'before')
    const forgetful = (transaction: unknown) => process.query(transaction, 'DEALLOCATE ALL')
    const { balance, attempts } = await paid(process, 'forgotten', forgetful)
    expect([balance, await database.count('effects')]).toEqual([2, 2])
    // Each run has its own number.
    expect(attempts).toEqual(attempts.map((_, index) => index + 1))
  })

  test('V3: a column that is added while a handler runs fails nobody: each effect is there once', async () => {
    const process = await opened(1)
    await paid(process, 'before')
    const alter = async () => database.sql.raw('ALTER TABLE accounts ADD COLUMN IF NOT EXISTS note text')
    const { balance, attempts } = await paid(process, 'during', alter)
    await database.sql.raw('ALTER TABLE accounts DROP COLUMN IF EXISTS note')
    expect((await paid(process, 'after')).balance).toBe(3)
    expect([balance, await database.count('effects')]).toEqual([2, 3])
    expect(attempts).toEqual(attempts.map((_, index) => index + 1))
  })

  test('V3: under load, no call fails while tables change and connections are reset', async () => {
    const process = await opened(4)
    const over = new AbortController()
    const failures: string[] = []
    let calls = 0
    const caller = async (path: Path, what: string) => {
      while (!over.signal.aborted) {
        calls += 1
        await path(process)?.catch((error) => failures.push(`${what}: ${error}: ${error.cause}`))
      }
    }
    const { 'writing a versioned row': _alone, ...paths } = PATHS
    const updating = () => optimisticUpdate({ store: process.accounts, id: 1, maxAttempts: 1_000 }, credited)
    const callers = Object.entries({ ...paths, optimisticUpdate: updating }).map(([what, path]) => caller(path, what))
    try {
      for (let round = 0; round < 3; round += 1) {
        for (const apply of Object.values(CHANGES)) {
          await apply(process, database)
          await setTimeout(20)
        }
      }
    } finally {
      over.abort()
      await Promise.all(callers)
    }
    expect(calls).toBeGreaterThan(100)
    expect({ failures: failures.length, calls, kinds: [...new Set(failures)] }).toEqual({
      failures: 0,
      calls,
      kinds: [],
    })
  })
})

const onPgBouncer = pgBouncerIsThere ? describe : describe.skip
onPgBouncer('behind PgBouncer, which lends each transaction another connection', () => {
  let database: TestDatabase
  let bouncer: PgBouncer
  beforeAll(async () => {
    database = await testDatabase()
    bouncer = await startPgBouncer(database.url, 'transaction')
  })
  afterAll(async () => {
    await database.close()
    await bouncer.stop()
  })

  test.each(clients)(
    'V3: %s: no call fails, though nothing that was prepared is sure to be there',
    async (_name, open) => {
      const processes = [
        open(database, { url: bouncer.url, max: 4 }),
        open(database, { url: bouncer.url, max: 4 }),
      ] as const
      await withIdempotency({ store: processes[0].store, key: 'known' }, () => 'known')
      const { 'writing a versioned row': _alone, ...paths } = PATHS
      const failures: string[] = []
      const caller = async (process: Process<unknown>, what: string, path: Path) => {
        for (let call = 0; call < 20; call += 1)
          await path(process)?.catch((error) => failures.push(`${what}: ${error}: ${error.cause}`))
      }
      await Promise.all(
        processes.flatMap((process) => Object.entries(paths).map(([what, path]) => caller(process, what, path))),
      )
      expect([...new Set(failures)]).toEqual([])
    },
  )
})

describe.each([false, true])('the caller’s own transaction on pg, pipelining: %s', (pipeline) => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await testDatabase()
  })
  afterAll(() => database.close())

  for (const change of [
    'DEALLOCATE ALL',
    'DISCARD ALL',
    'accounts ADD COLUMN IF NOT EXISTS note text',
    'accounts DROP COLUMN IF EXISTS note',
  ]) {
    test(`V3: after ${change} it goes through, or is told to run again, and then goes through`, async () => {
      const pool = database.pool({ pipeline, max: 1 })
      const accounts = pgVersionedStore<Account>({ pool, table: 'accounts' })
      await database.sql.raw('UPDATE accounts SET balance = 0, version = 1')
      const client = await pool.connect()
      const transacted = async () => {
        await client.query('BEGIN')
        try {
          const { balance } = await optimisticUpdate({ store: accounts.within(client), id: 1 }, credited)
          await client.query('COMMIT')
          return balance
        } catch (error) {
          await client.query('ROLLBACK')
          return error
        }
      }
      const outcomes: unknown[] = [await transacted()]
      await (change.includes('ALL') ? client.query(change) : database.sql.raw(`ALTER TABLE ${change}`))
      // The read is prepared anew; so may have to be the write, in a further run.
      do outcomes.push(await transacted())
      while (typeof outcomes.at(-1) !== 'number' && outcomes.length < 4)
      outcomes.push(await transacted())
      client.release()
      const errors = outcomes.filter((outcome) => typeof outcome !== 'number')
      expect(errors.every((error) => isStoreError(error) && error.transient)).toBe(true)
      expect(errors.length).toBeLessThanOrEqual(2)
      expect(outcomes.at(-1)).toBe(outcomes.length - errors.length)
    })
  }
})
