import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect } from 'vitest'
import { pgVersionedStore } from '../../src/entries/pg.ts'
import { isStoreError } from '../../src/errors.ts'
import { findReplay } from '../../src/idempotency/find-replay.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { optimisticUpdate } from '../../src/optimistic/optimistic-update.ts'
import { onPostgres } from '../support/engines.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'
import { type Account, clients, type Process } from '../support/postgres-clients.ts'

const { describe, test } = onPostgres

/** What others do to a connection between two statements, or to the tables; the last of a table puts it right again. */
const CHANGES: Readonly<Record<string, (process: Process<unknown>, database: TestDatabase) => Promise<unknown>>> = {
  'DEALLOCATE ALL': ({ ask }) => ask('DEALLOCATE ALL'),
  'DISCARD ALL': ({ ask }) => ask('DISCARD ALL'),
  ...Object.fromEntries(
    [
      'idempotency_records ADD COLUMN note text',
      'idempotency_records DROP COLUMN note',
      'idempotency_records ALTER COLUMN result TYPE varchar',
      'idempotency_records ALTER COLUMN result TYPE text',
      'accounts ADD COLUMN note text',
      'accounts DROP COLUMN note',
      'accounts ALTER COLUMN balance TYPE bigint',
      'accounts ALTER COLUMN balance TYPE int',
    ].map((change) => [change, (_: unknown, { sql }: TestDatabase) => sql.raw(`ALTER TABLE ${change}`)]),
  ),
}

const credited = ({ id, balance }: Account): Account => ({ id, balance: Number(balance) + 1 })

function credit(process: Process<unknown>, transaction: unknown): Promise<Account> {
  return optimisticUpdate({ store: process.accounts.within(transaction), id: 1 }, credited)
}

/** Every way to the database: each resolves, whatever others have done. */
const PATHS: Readonly<Record<string, (process: Process<unknown>) => Promise<unknown> | undefined>> = {
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

  test('V3: the claim of a long handler is completed though its connection has forgotten all statements', async () => {
    const process = await opened(2)
    let runs = 0
    const paid = (key: string) =>
      withIdempotency({ store: process.store, key }, async ({ transaction, attempt }) => {
        runs += 1
        await process.query(transaction, `INSERT INTO effects (note) VALUES ('${key}')`)
        await credit(process, transaction)
        if (attempt === 1 && key === 'forgotten') await process.query(transaction, 'DEALLOCATE ALL')
        return credit(process, transaction)
      })
    expect((await paid('before')).balance).toBe(2)
    expect((await paid('forgotten')).balance).toBe(4)
    expect(await database.count('effects')).toBe(2)
    expect(runs).toBeLessThanOrEqual(3)
  })

  test('V3: a column that is added while a handler runs fails nobody, and everything is done once', async () => {
    const process = await opened(2)
    const paid = (key: string, alter: () => Promise<unknown>) =>
      withIdempotency({ store: process.store, key }, async ({ transaction, attempt }) => {
        await process.query(transaction, `INSERT INTO effects (note) VALUES ('${key}')`)
        if (attempt === 1) await alter()
        return credit(process, transaction)
      })
    await paid('before', async () => {})
    await paid('during', async () => database.sql.raw('ALTER TABLE accounts ADD COLUMN note text'))
    await database.sql.raw('ALTER TABLE accounts DROP COLUMN note')
    expect((await paid('after', async () => {})).balance).toBe(3)
    expect(await database.count('effects')).toBe(3)
  })

  test('V3: under load, no call fails while tables change and connections are reset', async () => {
    const process = await opened(4)
    const over = new AbortController()
    const failures: string[] = []
    let calls = 0
    const caller = async (path: (process: Process<unknown>) => Promise<unknown> | undefined, what: string) => {
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

describe.each([false, true])('the caller’s own transaction on pg, pipelining: %s', (pipeline) => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await testDatabase()
  })
  afterAll(() => database.close())

  for (const change of [
    'DEALLOCATE ALL',
    'DISCARD ALL',
    'accounts ADD COLUMN note text',
    'accounts DROP COLUMN note',
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
