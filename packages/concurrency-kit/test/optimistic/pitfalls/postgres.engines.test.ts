import pg from 'pg'
import { afterAll, beforeAll, expect } from 'vitest'
import { isStoreError } from '../../../src/errors.ts'
import { optimisticUpdate } from '../../../src/optimistic/optimistic-update.ts'
import type { Row } from '../../../src/sql/database.ts'
import { onPostgres } from '../../support/engines.ts'
import { type TestDatabase, testDatabase } from '../../support/postgres.ts'
import { proveRowPitfalls } from './prove.ts'
import { type RowDatabase, throughKnex, throughPg, wayNames, ways } from './row-stores.ts'

const { describe, test } = onPostgres

let server: TestDatabase
beforeAll(async () => {
  server = await testDatabase()
})
afterAll(() => server?.close())

let schemas = 0

/** A schema of its own for each test, in which both connections find their tables. */
async function openSchema(client: 'knex' | 'pg' | 'pg, pipelining'): Promise<RowDatabase> {
  schemas += 1
  const schema = `s${schemas}`
  await server.sql.raw(`CREATE SCHEMA ${schema}`)
  const url = new URL(server.url)
  url.searchParams.set('options', `-c search_path=${schema}`)
  const plain = server.knex({ connectionString: url.href, max: 2 })
  const close = async () => {
    await plain.destroy()
  }
  if (client === 'knex')
    return throughKnex('postgres', server.knex({ connectionString: url.href, max: 4 }), plain, close)
  const pool = server.pool({ connectionString: url.href, max: 4, pipeline: client !== 'pg' } as pg.PoolConfig)
  return throughPg(pool, plain, close)
}

const count = (row: Row): Row => ({ ...row, n: Number(row['n']) + 1 })

for (const client of ['knex', 'pg', 'pg, pipelining'] as const) {
  proveRowPitfalls({ describe, test }, `${client} on Postgres`, () => openSchema(client))
}

describe.each(['knex', 'pg'] as const)('versioned rows on Postgres through %s', (client) => {
  const prove = (title: string, body: (database: RowDatabase) => Promise<void>) =>
    test(title, async () => {
      const database = await openSchema(client)
      try {
        await body(database)
      } finally {
        await database.close()
      }
    })

  for (const way of wayNames) {
    prove(`V1: ${way}: columns of any type that change does not touch stay as they are`, async (database) => {
      await database.sql(`CREATE TABLE things (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), n int DEFAULT 0, version int DEFAULT 1,
        list jsonb DEFAULT '[]', nothing jsonb DEFAULT 'null', word json DEFAULT '"word"', big jsonb DEFAULT '{"n": 12345678901234567890}',
        at timestamptz DEFAULT '2026-11-26 22:00:00.123456Z', place point DEFAULT '(1,2)', ids bigint[] DEFAULT '{1,9007199254740993}',
        spent interval DEFAULT '1 mon 2 days', amount numeric DEFAULT 1.50, bytes bytea DEFAULT '\\x00ff', price money DEFAULT 5,
        bits bit(3) DEFAULT '101', during tstzrange DEFAULT '[2026-01-01,2026-01-02)')`)
      const [{ id } = {}] = await database.sql('INSERT INTO things DEFAULT VALUES RETURNING id')
      const store = database.store({ table: 'things' })
      const text = async () =>
        (
          await database.sql(
            `SELECT (to_jsonb(things) - 'n' - 'version')::text AS row, at::text, nothing::text FROM things`,
          )
        )[0]
      const before = await text()
      expect((await ways[way](database, store, id, count))['n']).toBe(1)
      expect(await text()).toEqual(before)
      // What is equal to what was read, though another object, is not written either.
      await ways[way](database, store, id, (row) => ({
        ...count(row),
        place: { ...(row['place'] as object) },
        at: new Date(row['at'] as Date),
        list: [],
      }))
      expect(await text()).toEqual(before)
    })

    prove(`V1: ${way}: whatever change sets in json and jsonb arrives as what it is`, async (database) => {
      await database.sql('CREATE TABLE things (id int PRIMARY KEY, doc jsonb, old json, version int DEFAULT 1)')
      await database.sql(`INSERT INTO things VALUES (1, '{}', '{}')`)
      const store = database.store({ table: 'things' })
      for (const value of [
        [],
        [1, 'a', [null]],
        'text',
        '',
        '{"a": 1}',
        5,
        true,
        false,
        null,
        { a: [{ b: null }] },
        {},
      ]) {
        const stored = await ways[way](database, store, 1, (row) => ({ ...row, doc: value, old: value }))
        expect([stored['doc'], stored['old']]).toEqual([value, value])
        const [texts] = await database.sql('SELECT doc::text AS doc, old::text AS old FROM things')
        expect([JSON.parse(texts?.['doc'] as string), JSON.parse(texts?.['old'] as string)]).toEqual([value, value])
      }
    })

    prove(`V1: ${way}: arrays, text and null in columns of other types are what they were`, async (database) => {
      await database.sql(
        'CREATE TABLE things (id int PRIMARY KEY, tags text[], ids int[], note text, version int DEFAULT 1)',
      )
      await database.sql('INSERT INTO things VALUES (1)')
      const store = database.store({ table: 'things' })
      const set = { tags: ['a', 'b "c"', null], ids: [1, 2], note: '[1]' }
      expect(await ways[way](database, store, 1, (row) => ({ ...row, ...set }))).toEqual({ id: 1, ...set })
      await ways[way](database, store, 1, (row) => ({ ...row, note: null, ids: [] }))
      expect(await database.sql('SELECT ids, note IS NULL AS gone FROM things')).toEqual([{ ids: [], gone: true }])
    })

    prove(`V11: ${way}: an interval's parts as a plain object are refused, not read as seconds`, async (database) => {
      await database.sql('CREATE TABLE things (id int PRIMARY KEY, spent interval, version int DEFAULT 1)')
      await database.sql(`INSERT INTO things VALUES (1, '2 days')`)
      const store = database.store({ table: 'things' })
      const longer = (row: Row) => ({ ...row, spent: { ...(row['spent'] as object), days: 3 } })
      await expect(ways[way](database, store, 1, longer)).rejects.toThrow(
        new TypeError('value cannot be stored: $.spent is an object, which interval is not made of: give text'),
      )
      await ways[way](database, store, 1, (row) => ({ ...row, spent: '3 days' }))
      expect(await database.sql('SELECT spent::text FROM things')).toEqual([{ spent: '3 days' }])
    })

    prove(`V11: ${way}: what JSON would drop or change is refused by its place`, async (database) => {
      await database.sql('CREATE TABLE things (id int PRIMARY KEY, doc jsonb, version int DEFAULT 1)')
      await database.sql(`INSERT INTO things VALUES (1, '{"a": 1}')`)
      const store = database.store({ table: 'things' })
      for (const [value, where] of [
        [{ a: { b: undefined } }, '$.doc.a.b is undefined'],
        [[1, Number.NaN], '$.doc[1] is NaN'],
        [{ at: new Date(0) }, '$.doc.at is a Date'],
        [[1n], '$.doc[0] is a BigInt'],
        [{ money: new (class Money {})() }, '$.doc.money is a Money'],
      ] as const)
        await expect(ways[way](database, store, 1, (row) => ({ ...row, doc: value }))).rejects.toThrow(
          new TypeError(`value cannot be stored: ${where}`),
        )
      expect(await database.sql('SELECT doc, version FROM things')).toEqual([{ doc: { a: 1 }, version: 1 }])
    })

    prove(
      `V4: ${way}: an upper-case UUID and a padded char(10) are the ids that the database finds`,
      async (database) => {
        const uuid = '0193a5b0-7c3e-7def-8a2b-1234567890ab'
        await database.sql(`CREATE TABLE by_uuid (id uuid PRIMARY KEY, n int, version int); INSERT INTO by_uuid VALUES ('${uuid}', 0, 1);
        CREATE TABLE by_char (id char(10) PRIMARY KEY, n int, version int); INSERT INTO by_char VALUES ('KR', 0, 1);
        CREATE TABLE by_number (id numeric PRIMARY KEY, n int, version int); INSERT INTO by_number VALUES (7.0, 0, 1)`)
        const written = async (table: string, id: unknown) =>
          (await ways[way](database, database.store({ table }), id, count))['n']
        expect(await written('by_uuid', uuid.toUpperCase())).toBe(1)
        expect(await written('by_char', 'KR')).toBe(1)
        expect(await written('by_number', 7)).toBe(1)
      },
    )
  }

  prove(
    'V1: a column that is added is known by the write that sets it, one of another type after a failure',
    async (database) => {
      await database.sql('CREATE TABLE things (id int PRIMARY KEY, doc text, version int)')
      await database.sql(`INSERT INTO things VALUES (1, '{}', 1)`)
      const store = database.store({ table: 'things' })
      const set = (row: Row) => optimisticUpdate({ store, id: 1 }, (old) => ({ ...old, ...row }))
      await set({ doc: '{"a": 1}' })
      await database.sql('ALTER TABLE things ADD COLUMN more jsonb')
      expect(await set({ more: ['c'] })).toEqual({ id: 1, doc: '{"a": 1}', more: ['c'] })
      await database.sql('ALTER TABLE things ALTER COLUMN doc TYPE jsonb USING doc::jsonb')
      await expect(set({ doc: ['b'] })).rejects.toSatisfy(isStoreError)
      expect(await set({ doc: ['b'] })).toEqual({ id: 1, doc: ['b'], more: ['c'] })
    },
  )

  prove('V1: a column of JSON becomes SQL NULL where toRow says so', async (database) => {
    await database.sql(
      `CREATE TABLE things (id int PRIMARY KEY, doc jsonb, version int); INSERT INTO things VALUES (1, '[]', 1)`,
    )
    const sqlNull = { toPostgres: () => null }
    const toRow = (row: Row): Row => ({ ...row, doc: row['doc'] ?? sqlNull })
    const store = database.store({ table: 'things', toRow })
    await ways.alone(database, store, 1, (row) => ({ ...row, doc: null }))
    expect(await database.sql('SELECT doc IS NULL AS gone FROM things')).toEqual([{ gone: true }])
  })

  prove('V2: a unique index over less than the id is enough, a partial or invalid one is not', async (database) => {
    await database.sql(`CREATE TABLE loose (id int, n int, version int, gone boolean DEFAULT false);
      CREATE UNIQUE INDEX ON loose (id) WHERE NOT gone; INSERT INTO loose VALUES (1, 0, 1)`)
    const store = database.store({ table: 'loose' })
    const call = optimisticUpdate({ store, id: 1, lockAfter: 10 }, async (row) => {
      await database.sql('INSERT INTO loose VALUES (1, 50, 1, true)')
      return count(row)
    })
    await expect(call).rejects.toThrow('is 1 in several rows')
    expect(await database.sql('SELECT n FROM loose ORDER BY n')).toEqual([{ n: 0 }, { n: 50 }])
  })

  prove('V9: a numeric version with a fraction is refused', async (database) => {
    await database.sql(
      'CREATE TABLE things (id int PRIMARY KEY, n int, version numeric(10, 2)); INSERT INTO things VALUES (1, 0, 1)',
    )
    const store = database.store({ table: 'things' })
    await expect(ways.alone(database, store, 1, count)).rejects.toThrow(
      'is of type numeric(10,2), which cannot be a version',
    )
  })

  const trigger = (
    body: string,
  ) => `CREATE TABLE things (id int PRIMARY KEY, n int, version int); INSERT INTO things VALUES (1, 0, 1);
    CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN ${body} END';
    CREATE TRIGGER meddle BEFORE UPDATE ON things FOR EACH ROW EXECUTE FUNCTION meddle()`

  prove(
    'V10: a trigger that keeps the version is told of: the next writer would not see the write',
    async (database) => {
      await database.sql(trigger('NEW.version = OLD.version; RETURN NEW;'))
      const store = database.store({ table: 'things' })
      await expect(ways.alone(database, store, 1, count)).rejects.toSatisfy(
        (error: Error) =>
          isStoreError(error) && error.message.includes('the row was written, but its version is still 1'),
      )
      await expect(ways['under its lock'](database, store, 1, count)).rejects.toSatisfy(
        (error: Error) => isStoreError(error) && error.message.includes('nothing was written'),
      )
      expect(await database.sql('SELECT n, version FROM things')).toEqual([{ n: 1, version: 1 }])
    },
  )

  prove('V10: a trigger that counts the version up, too, is left to it', async (database) => {
    await database.sql(trigger('NEW.version = NEW.version + 1; RETURN NEW;'))
    const store = database.store({ table: 'things' })
    for (const way of wayNames) await ways[way](database, store, 1, count)
    expect(await database.sql('SELECT n, version FROM things')).toEqual([{ n: 3, version: 7 }])
  })

  prove('V10: a trigger that lets no write through is told of as what it is', async (database) => {
    await database.sql(trigger('RETURN NULL;'))
    const store = database.store({ table: 'things' })
    await expect(ways['under its lock'](database, store, 1, count)).rejects.toThrow(
      'row 1 was not written, although it is locked and unchanged: a trigger or rule of "things" suppressed the write',
    )
    await expect(ways['within a transaction'](database, store, 1, count)).rejects.toThrow(
      'row 1 was not written in 10 attempts, although it still has the expected version 1: a trigger, rule or policy may suppress the write',
    )
    expect(await database.sql('SELECT n FROM things')).toEqual([{ n: 0 }])
  })

  test('V5: whatever parsers the client has for integers, the version counts, and the value is the client’s', async () => {
    const database = await openSchema(client)
    await database.sql(
      'CREATE TABLE things (id bigint PRIMARY KEY, n bigint, version bigint); INSERT INTO things VALUES (1, 9007199254740993, 1)',
    )
    const { INT8 } = pg.types.builtins
    const before = pg.types.getTypeParser(INT8)
    pg.types.setTypeParser(INT8, BigInt as never)
    try {
      const store = database.store({ table: 'things' })
      const add = (row: Row): Row => ({ ...row, n: (row['n'] as bigint) + 1n })
      for (const way of wayNames) await ways[way](database, store, 1n, add)
      expect(await store.read({ id: 1, lock: false })).toEqual({ value: { id: 1n, n: 9007199254740996n }, version: 4 })
    } finally {
      pg.types.setTypeParser(INT8, before)
      await database.close()
    }
  })
})

describe('versioned rows on Postgres through a Knex with mappers of names', () => {
  const camel = (name: string) => name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase())
  const snake = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  const keys = (row: Row) => Object.fromEntries(Object.entries(row).map(([key, value]) => [camel(key), value]))
  const mapped = (answer: unknown): unknown => {
    if (Array.isArray(answer)) return answer.map(keys)
    const rows = (answer as { rows?: Row[] } | undefined)?.rows
    return rows === undefined ? answer : { ...(answer as object), rows: rows.map(keys) }
  }

  test.each(wayNames)('V5: %s: the value has the client’s names, and what is written the database’s', async (way) => {
    const plain = await openSchema('knex')
    await plain.sql(
      'CREATE TABLE order_items (order_id int PRIMARY KEY, unit_price int, price_list jsonb, row_version int); INSERT INTO order_items VALUES (1, 5, NULL, 1)',
    )
    const url = new URL(server.url)
    url.searchParams.set('options', `-c search_path=s${schemas}`)
    const knex = server.knex({ connectionString: url.href, max: 2 })
    knex.client.config.postProcessResponse = mapped
    knex.client.config.wrapIdentifier = (name: string, wrap: (name: string) => string) => wrap(snake(name))
    const database = throughKnex('postgres', knex, knex, () => plain.close())
    const store = database.store({ table: 'orderItems', idColumn: 'orderId', versionColumn: 'rowVersion' })
    const stored = await ways[way](database, store, 1, (row) => ({ ...row, unitPrice: 6, priceList: ['a'] }))
    expect(stored).toEqual({ orderId: 1, unitPrice: 6, priceList: ['a'] })
    expect(await plain.sql('SELECT * FROM order_items')).toEqual([
      { order_id: 1, unit_price: 6, price_list: ['a'], row_version: 2 },
    ])
    await database.close()
  })
})
