import type { Knex } from 'knex'
import { afterEach, describe, expect, test } from 'vitest'
import { optimisticUpdate } from '../../../src/optimistic/optimistic-update.ts'
import type { Row } from '../../../src/sql/database.ts'
import { sqliteFile } from '../../support/sqlite.ts'
import { proveRowPitfalls } from './prove.ts'
import { type RowDatabase, throughKnex, wayNames, ways } from './row-stores.ts'

async function openSqlite(): Promise<RowDatabase> {
  const file = sqliteFile()
  const knex = file.connect()
  return throughKnex('sqlite', knex, knex, () => file.close())
}

proveRowPitfalls({ describe, test }, 'knex on SQLite', openSqlite)

const count = (row: Row): Row => ({ ...row, n: Number(row['n']) + 1 })

describe('versioned rows on SQLite', () => {
  let database: RowDatabase
  afterEach(() => database.close())

  test.each(wayNames)(
    'V8: %s: a trigger that counts the version up meets no lock that looks like a write',
    async (way) => {
      database = await openSqlite()
      await database.sql('CREATE TABLE things (id INTEGER PRIMARY KEY, n INTEGER, version INTEGER)')
      await database.sql('INSERT INTO things VALUES (1, 0, 1)')
      await database.sql('CREATE TABLE fired (n INTEGER)')
      await database.sql(`CREATE TRIGGER counted AFTER UPDATE ON things BEGIN
      INSERT INTO fired VALUES (NEW.n); UPDATE things SET version = version + 1 WHERE id = NEW.id; END`)
      const store = database.store({ table: 'things' })
      for (let n = 1; n <= 5; n += 1) expect((await ways[way](database, store, 1, count))['n']).toBe(n)
      expect(await database.sql('SELECT n FROM fired')).toEqual([1, 2, 3, 4, 5].map((n) => ({ n })))
    },
  )

  test('V8: forty writers of a row whose trigger counts the version up all get through', async () => {
    database = await openSqlite()
    await database.sql('CREATE TABLE things (id INTEGER PRIMARY KEY, n INTEGER, version INTEGER)')
    await database.sql('INSERT INTO things VALUES (1, 0, 1)')
    await database.sql(`CREATE TRIGGER counted AFTER UPDATE ON things BEGIN
      UPDATE things SET version = version + 1 WHERE id = NEW.id; END`)
    const store = database.store({ table: 'things' })
    await Promise.all(Array.from({ length: 40 }, () => optimisticUpdate({ store, id: 1, lockAfter: 1 }, count)))
    expect(await database.sql('SELECT n FROM things')).toEqual([{ n: 40 }])
  })

  test.each(wayNames)(
    'V1: %s: an array or object, which SQLite has no type for, is refused by its place',
    async (way) => {
      database = await openSqlite()
      await database.sql('CREATE TABLE things (id INTEGER PRIMARY KEY, tags TEXT, paid, version INTEGER)')
      await database.sql(`INSERT INTO things VALUES (1, '[]', NULL, 1)`)
      const store = database.store({ table: 'things' })
      for (const [tags, what] of [
        [['a'], 'an array'],
        [{ a: 1 }, 'an object'],
      ] as const)
        await expect(ways[way](database, store, 1, (row) => ({ ...row, tags }))).rejects.toThrow(
          new TypeError(
            `value cannot be stored: $.tags is ${what}, for which SQLite has no type: convert it to text in toRow`,
          ),
        )
      const paid = { paid: true, tags: 'a' }
      expect(await ways[way](database, store, 1, (row) => ({ ...row, ...paid }))).toEqual({ id: 1, paid: 1, tags: 'a' })
      const at = new Date(5)
      expect((await ways[way](database, store, 1, (row) => ({ ...row, paid: at })))['paid']).toBe(5)
    },
  )

  test('a column that is added or dropped while statements are prepared is in the next value, or is not', async () => {
    database = await openSqlite()
    await database.sql('CREATE TABLE things (id INTEGER PRIMARY KEY, n INTEGER, version INTEGER)')
    await database.sql('INSERT INTO things VALUES (1, 0, 1)')
    const store = database.store({ table: 'things' })
    for (const way of wayNames) {
      await ways[way](database, store, 1, count)
      await database.sql(`ALTER TABLE things ADD COLUMN note TEXT DEFAULT 'new'`)
      expect(await ways[way](database, store, 1, count)).toMatchObject({ note: 'new' })
      await database.sql('ALTER TABLE things DROP COLUMN note')
      expect(await ways[way](database, store, 1, count)).not.toHaveProperty('note')
    }
    expect(await database.sql('SELECT n, version FROM things')).toEqual([{ n: 9, version: 10 }])
  })

  test('V2: an index that takes two ids for different, though the column takes them for equal, is none', async () => {
    database = await openSqlite()
    await database.sql('CREATE TABLE things (id TEXT COLLATE NOCASE, n INTEGER, version INTEGER)')
    await database.sql('CREATE UNIQUE INDEX by_bytes ON things (id COLLATE BINARY)')
    await database.sql(`INSERT INTO things VALUES ('a', 0, 1)`)
    const store = database.store({ table: 'things' })
    const call = optimisticUpdate({ store, id: 'a', lockAfter: 10 }, async (row) => {
      await database.sql(`INSERT INTO things VALUES ('A', 50, 1)`)
      return count(row)
    })
    await expect(call).rejects.toThrow('is a in several rows')
    expect(await database.sql('SELECT n FROM things ORDER BY n')).toEqual([{ n: 0 }, { n: 50 }])
  })

  describe('with the client’s own settings', () => {
    const camel = (name: string) => name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase())
    const snake = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    const keys = (row: Row) => Object.fromEntries(Object.entries(row).map(([key, value]) => [camel(key), value]))

    /** As mappers between snake_case and camelCase do it, and every integer as a BigInt. */
    async function openWithSettings(): Promise<RowDatabase> {
      const file = sqliteFile()
      const plain = file.connect()
      const knex: Knex = file.connect()
      const { config } = knex.client
      config.postProcessResponse = (answer: unknown) => (Array.isArray(answer) ? answer.map(keys) : answer)
      config.wrapIdentifier = (name: string, wrap: (name: string) => string) => wrap(snake(name))
      const connection = await knex.client.acquireConnection()
      connection.defaultSafeIntegers(true)
      knex.client.releaseConnection(connection)
      return throughKnex('sqlite', knex, plain, () => file.close())
    }

    test.each(wayNames)(
      'V5: %s: BigInts and camelCase: the value is the client’s own, and the version still counts',
      async (way) => {
        database = await openWithSettings()
        await database.sql(
          'CREATE TABLE order_items (order_id INTEGER PRIMARY KEY, unit_price INTEGER, row_version INTEGER)',
        )
        await database.sql('INSERT INTO order_items VALUES (1, 9007199254740993, 1)')
        const store = database.store({ table: 'orderItems', idColumn: 'orderId', versionColumn: 'rowVersion' })
        const raise = (row: Row): Row => ({ ...row, unitPrice: (row['unitPrice'] as bigint) + 1n })
        expect(await ways[way](database, store, 1, raise)).toEqual({ orderId: 1n, unitPrice: 9007199254740994n })
        expect(await ways[way](database, store, 1n, raise)).toEqual({ orderId: 1n, unitPrice: 9007199254740995n })
        expect(await database.sql('SELECT CAST(unit_price AS text) AS price, row_version FROM order_items')).toEqual([
          { price: '9007199254740995', row_version: 3 },
        ])
        expect(await store.read({ id: 1, lock: false })).toMatchObject({ version: 3 })
      },
    )

    test.each(wayNames)('V5: %s: names as the database has them, and ids of several columns', async (way) => {
      database = await openWithSettings()
      await database.sql(
        'CREATE TABLE items (tenant_id INTEGER, item_id INTEGER, n INTEGER, row_version INTEGER, PRIMARY KEY (tenant_id, item_id))',
      )
      await database.sql('INSERT INTO items VALUES (1, 7, 0, 1)')
      const options = { table: 'items', idColumns: ['tenant_id', 'item_id'], versionColumn: 'row_version' }
      const add = (row: Row): Row => ({ ...row, n: (row['n'] as bigint) + 1n })
      const stored = await ways[way](database, database.store(options), { tenant_id: 1, item_id: 7 }, add)
      expect(stored).toEqual({ tenantId: 1n, itemId: 7n, n: 1n })
    })

    test('V5: by content: what is compared is what the database has, past 2^53 too', async () => {
      database = await openWithSettings()
      await database.sql('CREATE TABLE wide_rows (id INTEGER PRIMARY KEY, big_n INTEGER)')
      await database.sql('INSERT INTO wide_rows VALUES (1, 9007199254740993)')
      const store = database.store({ table: 'wideRows', version: 'content' })
      const add = (row: Row): Row => ({ ...row, bigN: (row['bigN'] as bigint) + 1n })
      expect(await ways.alone(database, store, 1, add)).toEqual({ id: 1n, bigN: 9007199254740994n })
      const beaten = optimisticUpdate({ store, id: 1, maxAttempts: 1 }, async (row) => {
        await database.sql('UPDATE wide_rows SET big_n = big_n + 1')
        return add(row)
      })
      await expect(beaten).rejects.toMatchObject({ code: 'VERSION_CONFLICT' })
    })
  })
})
