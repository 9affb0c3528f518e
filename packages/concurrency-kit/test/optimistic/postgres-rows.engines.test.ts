import { afterAll, beforeAll, beforeEach, expect } from 'vitest'
import { pgVersionedStore } from '../../src/entries/pg.ts'
import { isStoreError } from '../../src/errors.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { optimisticUpdate } from '../../src/optimistic/optimistic-update.ts'
import { onPostgres } from '../support/engines.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'
import { type Account, clients, type Process } from '../support/postgres-clients.ts'

const { describe, test } = onPostgres

describe.each(clients)('versioned rows on Postgres through %s', (_name, open) => {
  let database: TestDatabase
  let process: Process<unknown>
  beforeAll(async () => {
    database = await testDatabase()
    process = open(database)
  })
  afterAll(() => database.close())
  beforeEach(() => database.sql.raw('UPDATE accounts SET balance = 0, version = 1'))

  const add =
    (by: number) =>
    (account: Account): Account => ({ ...account, balance: account.balance + by })
  const row = async () => (await database.sql.raw('SELECT balance, version FROM accounts')).rows[0]

  test('S8: the version is asked for in the write: what another wrote after the read is not overwritten', async () => {
    const rival = open(database)
    let ran = 0
    const stored = await optimisticUpdate({ store: process.accounts, id: 1 }, async (account) => {
      ran += 1
      if (ran === 1) await optimisticUpdate({ store: rival.accounts, id: 1 }, add(1_000))
      return add(1)(account)
    })
    expect([stored.balance, ran]).toEqual([1_001, 2])
    expect(await row()).toEqual({ balance: 1_001, version: '3' })
  })

  test('S3: a version is a number though the server sends a string, and one past 2^53 is refused', async () => {
    const { accounts } = process
    expect(await accounts.read({ id: 1, lock: false })).toEqual({ value: { id: 1, balance: 0 }, version: 1 })
    await optimisticUpdate({ store: accounts, id: 1 }, add(1))
    expect(await row()).toEqual({ balance: 1, version: '2' })
    await database.sql.raw('UPDATE accounts SET version = 9007199254740993')
    await expect(optimisticUpdate({ store: accounts, id: 1 }, add(1))).rejects.toThrow('below 2^53')
  })

  test('after some conflicts the row is changed under its lock: everybody gets through', async () => {
    const writers = Array.from({ length: 20 }, () =>
      optimisticUpdate({ store: process.accounts, id: 1, lockAfter: 1, maxAttempts: 1_000 }, add(1)),
    )
    await Promise.all(writers)
    expect(await row()).toEqual({ balance: 20, version: '21' })
  })

  test('a row that another transaction keeps locked ends in a StoreError within the deadline', async () => {
    const hasty = pgVersionedStore<Account>({ pool: database.pool(), table: 'accounts', commandMs: 100 })
    const transaction = await database.sql.transaction()
    await transaction.raw('UPDATE accounts SET balance = 5')
    const startedMs = performance.now()
    const error = await optimisticUpdate({ store: hasty, id: 1 }, add(1)).catch((caught) => caught)
    expect(isStoreError(error)).toBe(true)
    expect(performance.now() - startedMs).toBeLessThan(1_000)
    await transaction.rollback()
  })

  test('a server that hangs ends in a StoreError within the deadline, and the pool goes on afterwards', async () => {
    const { line, url } = await database.line()
    const pool = database.pool({ connectionString: url, max: 1 })
    const store = pgVersionedStore<Account>({ pool, table: 'accounts', commandMs: 100 })
    await store.read({ id: 1, lock: false })
    line.stall()
    const startedMs = performance.now()
    expect(isStoreError(await store.read({ id: 1, lock: false }).catch((error) => error))).toBe(true)
    expect(performance.now() - startedMs).toBeLessThan(1_000)
    line.resume()
    await expect.poll(() => store.read({ id: 1, lock: false }).catch(() => undefined)).toMatchObject({ version: 1 })
  })

  test('a column that is added while connections are open fails nobody, though they have prepared statements', async () => {
    const { accounts, store } = process
    const charge = (key: string) =>
      withIdempotency({ store, key }, ({ transaction }) =>
        optimisticUpdate({ store: accounts.within(transaction), id: 1 }, ({ id, balance }) => ({
          id,
          balance: balance + 1,
        })),
      )
    expect((await charge('a')).balance).toBe(1)
    await database.sql.raw('ALTER TABLE accounts ADD COLUMN note text')
    expect(await charge('b')).toEqual({ id: 1, balance: 2, note: null })
    await database.sql.raw('ALTER TABLE accounts DROP COLUMN note')
    expect(await optimisticUpdate({ store: accounts, id: 1 }, add(1))).toEqual({ id: 1, balance: 3 })
  })
})
