import type { Knex } from 'knex'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { knexVersionedStore } from '../../src/entries/knex.ts'
import { optimisticUpdate } from '../../src/optimistic/optimistic-update.ts'
import { sqliteFile } from '../support/sqlite.ts'

interface Account {
  readonly id: number
  readonly balance: number
}

let database: ReturnType<typeof sqliteFile>
let knex: Knex

beforeEach(async () => {
  database = sqliteFile()
  knex = database.connect()
  await knex.raw('CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL, version INTEGER NOT NULL)')
  await knex.raw('INSERT INTO accounts VALUES (1, 0, 1)')
})
afterEach(() => database.close())

const open = (connection = knex) => knexVersionedStore<Account>({ knex: connection, table: 'accounts' })
const credit = (account: Account) => ({ ...account, balance: account.balance + 1 })
const row = async () => (await knex.raw('SELECT balance, version FROM accounts WHERE id = 1'))[0]

describe('several connections', () => {
  test('S8: the version is asked for in the write: what another wrote after the read is not overwritten', async () => {
    const rival = open(database.connect())
    let ran = 0
    const stored = await optimisticUpdate({ store: open(), id: 1 }, async (account) => {
      ran += 1
      if (ran === 1) await optimisticUpdate({ store: rival, id: 1 }, (other) => ({ ...other, balance: 1_000 }))
      return credit(account)
    })
    expect(stored.balance).toBe(1_001)
    expect(ran).toBe(2)
    expect(await row()).toEqual({ balance: 1_001, version: 3 })
  })

  test('S8: eight of them, fifty increments each: the sum is exact, and every write is counted', async () => {
    const stores = Array.from({ length: 8 }, () => open(database.connect()))
    await Promise.all(
      stores.map(async (store) => {
        for (let n = 0; n < 50; n += 1) await optimisticUpdate({ store, id: 1, maxAttempts: 1_000 }, credit)
      }),
    )
    expect(await row()).toEqual({ balance: 400, version: 401 })
  })
})

describe('within a transaction', () => {
  test('the write is part of it: gone with a rollback, there with a commit', async () => {
    const store = open()
    const refused = knex.transaction(async (transaction) => {
      await optimisticUpdate({ store: store.within(transaction), id: 1 }, credit)
      throw new Error('rolled back')
    })
    await expect(refused).rejects.toThrow('rolled back')
    expect(await row()).toEqual({ balance: 0, version: 1 })
    await knex.transaction((transaction) => optimisticUpdate({ store: store.within(transaction), id: 1 }, credit))
    expect(await row()).toEqual({ balance: 1, version: 2 })
  })

  test('a busy file goes up to whoever owns the transaction, at once', async () => {
    const rival = database.connect()
    await rival.raw('BEGIN IMMEDIATE')
    let ran = 0
    const call = knex.transaction((transaction) =>
      optimisticUpdate({ store: open().within(transaction), id: 1 }, (account) => {
        ran += 1
        return credit(account)
      }),
    )
    await expect(call).rejects.toMatchObject({ code: 'STORE_ERROR', transient: true })
    expect(ran).toBe(1)
    await rival.raw('ROLLBACK')
  })
})

test('S10: a busy file is tried again outside of a transaction, with the event loop running', async () => {
  const rival = database.connect()
  await rival.raw('BEGIN IMMEDIATE')
  const call = optimisticUpdate({ store: open(), id: 1, maxAttempts: 1_000 }, credit)
  for (let turn = 0; turn < 3; turn += 1) expect((await knex.raw('SELECT 1 AS one'))[0].one).toBe(1)
  await rival.raw('COMMIT')
  expect((await call).balance).toBe(1)
})

test('names of tables and columns are plain names, and nothing else', async () => {
  for (const options of [
    { table: 'accounts; DROP TABLE accounts' },
    { table: 'a', idColumn: 'i"d' },
    { table: 'a', versionColumn: '' },
  ]) {
    expect(() => knexVersionedStore({ knex, ...options })).toThrow(
      /must be a plain SQL name of at most 63 characters, but is/,
    )
  }
  const change = (account: Account) => ({ ...account, ['balance = 1, id']: 5 })
  await expect(optimisticUpdate({ store: open(), id: 1 }, change)).rejects.toThrow('must be a plain SQL name')
})

test('the id and the version are not the change’s to set', async () => {
  await expect(optimisticUpdate({ store: open(), id: 1 }, (account) => ({ ...account, id: 2 }))).rejects.toThrow(
    'change must not change id, but changed it from 1 to 2',
  )
  await expect(optimisticUpdate({ store: open(), id: 1 }, (account) => ({ ...account, version: 9 }))).rejects.toThrow(
    'change must not set version',
  )
  expect(await row()).toEqual({ balance: 0, version: 1 })
})

test('S3, L20: a version that JavaScript cannot count exactly is refused, not rounded', async () => {
  await knex.raw('UPDATE accounts SET version = 9007199254740993')
  await expect(optimisticUpdate({ store: open(), id: 1 }, credit)).rejects.toThrow('must be a whole number below 2^53')
})

test('rows can have another form than the value', async () => {
  const store = knexVersionedStore<{ won: bigint }>({
    knex,
    table: 'accounts',
    fromRow: ({ balance }) => ({ won: BigInt(balance as number) }),
    toRow: ({ won }) => ({ balance: Number(won) }),
  })
  expect(await optimisticUpdate({ store, id: 1 }, ({ won }) => ({ won: won + 5n }))).toEqual({ won: 5n })
  expect(await row()).toEqual({ balance: 5, version: 2 })
})
