import { afterAll, beforeAll, beforeEach, expect } from 'vitest'
import { knexVersionedStore } from '../../src/entries/knex.ts'
import { pgVersionedStore } from '../../src/entries/pg.ts'
import { isStoreError } from '../../src/errors.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { optimisticUpdate } from '../../src/optimistic/optimistic-update.ts'
import { onPostgres } from '../support/engines.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'
import { type Account, clients, type Process } from '../support/postgres-clients.ts'

const { describe, test } = onPostgres

const add =
  (by: number) =>
  (account: Account): Account => ({ ...account, balance: account.balance + by })

describe.each(clients)('versioned rows on Postgres through %s', (_name, open) => {
  let database: TestDatabase
  let process: Process<unknown>
  beforeAll(async () => {
    database = await testDatabase()
    process = open(database)
  })
  afterAll(() => database.close())
  beforeEach(() => database.sql.raw('UPDATE accounts SET balance = 0, version = 1'))

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
    await expect
      .poll(() => store.read({ id: 1, lock: false }).catch(() => undefined))
      .toMatchObject({ value: { id: 1 } })
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

describe('versioned rows outside a transaction', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await testDatabase()
  })
  afterAll(() => database.close())

  test('an exhausted pool ends an update after one deadline, not after one for each attempt', async () => {
    const [pool, knex] = [database.pool({ max: 1 }), database.knex({ max: 1 })]
    const lent = await Promise.all([pool.connect(), knex.client.acquireConnection()])
    const options = { table: 'accounts', commandMs: 200 }
    const stores = [pgVersionedStore<Account>({ pool, ...options }), knexVersionedStore<Account>({ knex, ...options })]
    const startedMs = performance.now()
    for (const store of stores) {
      await expect(optimisticUpdate({ store, id: 1 }, add(1))).rejects.toMatchObject({ transient: false })
      const locked = store.updateLocked?.({ id: 1 }, ({ value }) => ({ value: add(1)(value) }))
      await expect(locked).rejects.toMatchObject({ transient: false })
    }
    expect(performance.now() - startedMs).toBeLessThan(1_500)
    lent[0].release()
    await knex.client.releaseConnection(lent[1])
    // Through Knex what nobody waited for is still in line, and only reads.
    for (const store of stores) expect((await optimisticUpdate({ store, id: 1 }, add(1))).id).toBe(1)
    const { rows } = await database.sql.raw('SELECT balance, version FROM accounts')
    expect(rows).toEqual([{ balance: 2, version: '3' }])
  })

  test('a half-open connection is given up with the statement that it left unanswered: the next has another', async () => {
    const { line, url } = await database.line()
    const options = { table: 'accounts', commandMs: 200 }
    const stores = [
      pgVersionedStore<Account>({ pool: database.pool({ connectionString: url, max: 1 }), ...options }),
      knexVersionedStore<Account>({ knex: database.knex({ connectionString: url, max: 1 }), ...options }),
    ]
    const read = (store: (typeof stores)[number]) => store.read({ id: 1, lock: false })
    await Promise.all(stores.map(read))
    line.halfOpen()
    for (const store of stores) {
      await expect(read(store)).rejects.toSatisfy(isStoreError)
      expect(await read(store)).toMatchObject({ value: { id: 1 } })
    }
  })

  test('an int8 id, which arrives as a string, is the same id; another one is refused', async () => {
    await database.sql.raw(`CREATE TABLE wide (id bigint PRIMARY KEY, balance int, version int);
      INSERT INTO wide VALUES (1, 0, 1)`)
    interface Wide {
      readonly id: unknown
      readonly balance: number
    }
    const [pool, knex] = [database.pool(), database.knex()]
    const stores = [pgVersionedStore<Wide>({ pool, table: 'wide' }), knexVersionedStore<Wide>({ knex, table: 'wide' })]
    for (const store of stores) {
      await optimisticUpdate({ store, id: 1 }, (wide) => ({ ...wide, balance: wide.balance + 1 }))
      for (const id of ['2', 2, '01', null]) {
        const moved = optimisticUpdate({ store, id: 1 }, (wide) => ({ ...wide, id }))
        await expect(moved).rejects.toThrow(`change must not change id, but changed it from 1 to ${id}`)
      }
    }
    expect((await database.sql.raw('SELECT * FROM wide')).rows).toEqual([{ id: '1', balance: 2, version: 3 }])
  })
})
