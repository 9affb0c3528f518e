import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import type { Knex } from 'knex'
import { afterEach, describe, expect, test } from 'vitest'
import { createTables, knexIdempotencyStore, knexLockStore, knexVersionedStore } from '../../src/entries/knex.ts'
import { isStoreError } from '../../src/errors.ts'
import { findReplay } from '../../src/idempotency/find-replay.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { optimisticUpdate } from '../../src/optimistic/optimistic-update.ts'
import { deferred } from '../support/rival.ts'
import { type SqliteFile, type SqliteOptions, sqliteFile } from '../support/sqlite.ts'

interface Account {
  readonly id: number
  readonly owner: number
  readonly balance: number
}

let file: SqliteFile | undefined
afterEach(() => file?.close())

/** A file with records, effects and accounts: `knex` is the application's, `other` what another process sees. */
async function open(options: SqliteOptions = {}) {
  file = sqliteFile()
  const knex = file.connect(options)
  const other = file.connect(options)
  await createTables(knex, { idempotency: true })
  for (const statement of [
    'CREATE TABLE owners (id INTEGER PRIMARY KEY)',
    'CREATE TABLE effects (id INTEGER PRIMARY KEY, note TEXT UNIQUE)',
    'CREATE TABLE strict_effects (note TEXT UNIQUE ON CONFLICT ROLLBACK)',
    `CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER, version INTEGER,
      owner INTEGER REFERENCES owners (id) DEFERRABLE INITIALLY DEFERRED)`,
    'INSERT INTO owners VALUES (1)',
    'INSERT INTO accounts VALUES (1, 0, 1, 1)',
    `CREATE TRIGGER no_debts BEFORE UPDATE ON accounts WHEN NEW.balance < 0
      BEGIN SELECT RAISE(ROLLBACK, 'no debts'); END`,
    "INSERT INTO effects (note) VALUES ('taken')",
    "INSERT INTO strict_effects (note) VALUES ('taken')",
  ])
    await knex.raw(statement)
  const store = knexIdempotencyStore({ knex })
  const accounts = knexVersionedStore<Account>({ knex, table: 'accounts' })
  const insert = (transaction: Knex, note: string) => transaction.raw('INSERT INTO effects (note) VALUES (?)', [note])
  const effects = async () =>
    (await other.raw("SELECT note FROM effects WHERE note <> 'taken' ORDER BY id")).map(
      ({ note }: { note: string }) => note,
    )
  return {
    knex,
    other,
    store,
    accounts,
    insert,
    effects,
    /** Other processes can write, and what this one says is done is there for them. */
    async provesOpenForAll() {
      await other.raw('BEGIN IMMEDIATE')
      await other.raw('ROLLBACK')
      const key = randomUUID()
      const before = await effects()
      await withIdempotency({ store, key }, async ({ transaction }) => void (await insert(transaction, key)))
      await optimisticUpdate({ store: accounts, id: 1 }, (account) => ({ ...account, balance: account.balance + 1 }))
      const records = await other.raw('SELECT count(*) AS n FROM idempotency_records WHERE idempotency_key = ?', [key])
      const [{ balance }] = await other.raw('SELECT balance FROM accounts')
      expect({ effects: await effects(), records: records[0].n, balance }).toEqual({
        effects: [...before, key],
        records: 1,
        balance: 1,
      })
    },
  }
}

/** Another process reads meanwhile, and outside WAL mode keeps every COMMIT from its end. */
async function reading(reader: Knex): Promise<() => Promise<unknown>> {
  await reader.raw('BEGIN')
  await reader.raw('SELECT * FROM accounts')
  return () => reader.raw('COMMIT')
}

describe('a COMMIT that fails on SQLite', () => {
  const orphan = 'INSERT INTO accounts VALUES (2, 0, 1, 99)'

  test('G9: for a deferred foreign key: the call rejects, and leaves nothing, not even an open transaction', async () => {
    const { store, other, insert, effects, provesOpenForAll } = await open({ pragmas: ['foreign_keys = ON'] })
    for (const key of ['a', 'b']) {
      const call = withIdempotency({ store, key }, async ({ transaction }) => {
        await insert(transaction, key)
        await transaction.raw(orphan)
        return 'paid'
      })
      await expect(call).rejects.toMatchObject({
        code: 'STORE_ERROR',
        transient: false,
        cause: { code: 'SQLITE_CONSTRAINT_FOREIGNKEY' },
      })
      expect(await findReplay({ store, key })).toEqual({ found: false })
    }
    expect([await effects(), await other.raw('SELECT * FROM idempotency_records')]).toEqual([[], []])
    await provesOpenForAll()
  })

  test('G9: for a deferred foreign key: so does an update under the row’s lock', async () => {
    const { accounts, other, provesOpenForAll } = await open({ pragmas: ['foreign_keys = ON'] })
    const update = accounts.updateLocked?.({ id: 1 }, ({ value }) => ({ value: { ...value, owner: 99 } }))
    await expect(update).rejects.toMatchObject({ code: 'STORE_ERROR', transient: false })
    expect(await other.raw('SELECT owner FROM accounts')).toEqual([{ owner: 1 }])
    await provesOpenForAll()
  })

  test('G9: for a reader in another process, outside WAL mode: it is tried again, and done once', async () => {
    const { store, other, insert, effects, provesOpenForAll } = await open({ journal: 'DELETE' })
    const readTo = await reading(other)
    const ran = deferred()
    const call = withIdempotency({ store, key: 'a' }, async ({ transaction }) => {
      await insert(transaction, 'once')
      ran.resolve()
      return 'paid'
    }).catch((error) => error)
    await ran.promise
    // So long it reads on.
    await setTimeout(150)
    await readTo()
    expect({ outcome: await call, effects: await effects() }).toEqual({ outcome: 'paid', effects: ['once'] })
    await provesOpenForAll()
  })

  test('G9: for a reader that stays: the call rejects, nothing happened, and the next reader is let in', async () => {
    const { store, other, insert, effects, provesOpenForAll } = await open({ journal: 'DELETE' })
    const readTo = await reading(other)
    const call = withIdempotency({ store, key: 'a', waitMs: 100 }, async ({ transaction }) => {
      await insert(transaction, 'never')
      return 'paid'
    })
    await expect(call).rejects.toMatchObject({ code: expect.stringMatching(/^(STORE_ERROR|TRANSACTION_RETRIES)$/) })
    const [{ n }] = await (file as SqliteFile).connect({ journal: 'DELETE' }).raw('SELECT count(*) AS n FROM owners')
    await readTo()
    expect([n, await effects(), await findReplay({ store, key: 'a' })]).toEqual([1, [], { found: false }])
    await provesOpenForAll()
  })

  test('G9: for a reader that stays: so does an update under the row’s lock', async () => {
    const { accounts, other, provesOpenForAll } = await open({ journal: 'DELETE' })
    const readTo = await reading(other)
    const update = accounts.updateLocked?.({ id: 1 }, ({ value }) => ({ value: { ...value, balance: 1_000 } }))
    await expect(update).rejects.toMatchObject({ code: 'STORE_ERROR', transient: true })
    await readTo()
    expect(await other.raw('SELECT balance FROM accounts')).toEqual([{ balance: 0 }])
    await provesOpenForAll()
  })

  test('G9: for a reader that stays: a lock is not granted, and can be had as soon as the reader is gone', async () => {
    file = sqliteFile()
    const [knex, other] = [file.connect({ journal: 'DELETE' }), file.connect({ journal: 'DELETE' })]
    await createTables(knex, { locks: true })
    const store = knexLockStore({ knex })
    const acquire = (holder: string, ms: number) =>
      store.tryAcquire({ key: 'k', holder, ttlMs: 60_000, tokens: 1, signal: AbortSignal.timeout(ms) })
    await other.raw('BEGIN')
    await other.raw('SELECT * FROM locks')
    await expect(acquire('too early', 100)).rejects.toSatisfy(isStoreError)
    await other.raw('COMMIT')
    expect(await other.raw('SELECT holder FROM locks')).toEqual([])
    expect(await acquire('in time', 2_000)).toMatchObject({ acquired: true })
    expect(await other.raw('SELECT holder FROM locks')).toEqual([{ holder: 'in time' }])
    await store.close()
  })
})

describe('a transaction that SQLite ends by itself', () => {
  const enders = [
    ['INSERT OR ROLLBACK', "INSERT OR ROLLBACK INTO effects (note) VALUES ('taken')"],
    ['UPDATE OR ROLLBACK', "UPDATE OR ROLLBACK effects SET note = 'taken' WHERE note <> 'taken'"],
    ['a constraint with ON CONFLICT ROLLBACK', "INSERT INTO strict_effects (note) VALUES ('taken')"],
    ['RAISE(ROLLBACK) in a trigger', 'UPDATE accounts SET balance = -1'],
  ] as const

  test.each(enders)(
    'G9: %s: further statements of the handler are refused, and nothing commits',
    async (_name, sql) => {
      const { store, insert, effects, provesOpenForAll } = await open()
      const refusals: unknown[] = []
      for (const key of ['a', 'b', 'c']) {
        const call = withIdempotency({ store, key }, async ({ transaction }) => {
          await insert(transaction, `before ${key}`)
          await transaction.raw(sql).catch(() => {})
          refusals.push(await insert(transaction, `after ${key}`).catch((error: unknown) => error))
          return 'went on'
        })
        await expect(call).rejects.toSatisfy(isStoreError)
        expect(await findReplay({ store, key })).toEqual({ found: false })
      }
      expect(await effects()).toEqual([])
      expect(refusals.map(isStoreError)).toEqual([true, true, true])
      await provesOpenForAll()
    },
  )

  test.each(enders)(
    'G9: %s: nor does an error of finalErrors, stored or not, bring anything with it',
    async (_name, sql) => {
      const { store, other, insert, effects, provesOpenForAll } = await open()
      const finalErrors = { encode: String, decode: (text: string) => new Error(text) }
      const call = withIdempotency({ store, key: 'a', finalErrors }, async ({ transaction }) => {
        await insert(transaction, 'before')
        await transaction.raw(sql).catch(() => {})
        await insert(transaction, 'after')
      })
      await expect(call).rejects.toSatisfy(isStoreError)
      expect([await effects(), await other.raw('SELECT * FROM idempotency_records')]).toEqual([[], []])
      await provesOpenForAll()
    },
  )

  test('G9: RAISE(ROLLBACK) met by a versioned row: what the handler sends afterwards is refused', async () => {
    const { store, accounts, insert, effects, provesOpenForAll } = await open()
    const call = withIdempotency({ store, key: 'a' }, async ({ transaction }) => {
      const within = accounts.within(transaction)
      await optimisticUpdate({ store: within, id: 1 }, (account) => ({ ...account, balance: -1 })).catch(() => {})
      await insert(transaction, 'after').catch(() => {})
      await optimisticUpdate({ store: within, id: 1 }, (account) => ({ ...account, balance: 1_000 })).catch(() => {})
      return 'went on'
    })
    await expect(call).rejects.toSatisfy(isStoreError)
    expect(await effects()).toEqual([])
    await provesOpenForAll()
  })

  test('G9: RAISE(ROLLBACK) under the row’s lock leaves the row, and no transaction', async () => {
    const { accounts, provesOpenForAll } = await open()
    const update = accounts.updateLocked?.({ id: 1 }, ({ value }) => ({ value: { ...value, balance: -1 } }))
    await expect(update).rejects.toSatisfy(isStoreError)
    await provesOpenForAll()
  })
})
