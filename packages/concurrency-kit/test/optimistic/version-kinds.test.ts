import type { Knex } from 'knex'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { knexVersionedStore } from '../../src/entries/knex.ts'
import { optimisticUpdate } from '../../src/optimistic/optimistic-update.ts'
import { sqliteFile } from '../support/sqlite.ts'

let database: ReturnType<typeof sqliteFile>
let knex: Knex

beforeEach(() => {
  database = sqliteFile()
  knex = database.connect()
})
afterEach(() => database.close())

describe('a column that is no version', () => {
  const update = async (type: string, value: unknown) => {
    await knex.raw(`CREATE TABLE rows (id INTEGER PRIMARY KEY, n INTEGER, updated_at ${type})`)
    await knex.raw('INSERT INTO rows VALUES (1, 0, ?)', [value as never])
    const store = knexVersionedStore<{ n: number }>({ knex, table: 'rows', versionColumn: 'updated_at' })
    return optimisticUpdate({ store, id: 1 }, (row) => ({ n: row.n + 1 }))
  }

  test.each(['2026-11-26 22:00:00.123', '2026-11-26T22:00:00Z', '2026-11-26', '22:00:00'])(
    'S4: %s is refused at the first read, with the reason',
    async (time) => {
      await expect(update('TEXT', time)).rejects.toThrow(
        'column "updated_at" of "rows" is a time and cannot be a version: a Date loses its microseconds, and two writes in one tick have the same time; use',
      )
      expect(await knex.raw('SELECT n FROM rows')).toEqual([{ n: 0 }])
    },
  )

  test.each([
    [null, 'null'],
    ['', '""'],
    ['one', '"one"'],
    [1.5, '1.5'],
    [Buffer.from('1'), 'an object'],
  ])('%s is refused too', async (value, shown) => {
    await expect(update('BLOB', value)).rejects.toThrow(
      `column "updated_at" of "rows" must be a whole number below 2^53, but is ${shown}`,
    )
  })
})

describe('a kind of version', () => {
  test('is one that the database has', () => {
    const open = (version: string, more = {}) => knexVersionedStore({ knex, table: 'rows', version, ...more } as never)
    expect(() => open('xmin')).toThrow(new TypeError("version: 'xmin' is for Postgres: SQLite has no such column"))
    expect(() => open('hash')).toThrow('version must be one of "column", "xmin", "content", but is "hash"')
    expect(() => open('content', { versionColumn: 'version' })).toThrow(
      `versionColumn is for version: 'column', but version is "content"`,
    )
  })
})

describe('by content, on SQLite', () => {
  interface Everything {
    readonly n: unknown
    readonly text: unknown
    readonly bytes: unknown
    readonly any: unknown
  }

  const rows = [
    { n: 0.1 + 0.2, text: 'a\0b', bytes: Buffer.from([0, 255]), any: null },
    { n: 5e-324, text: '', bytes: Buffer.alloc(0), any: 'null' },
    { n: Number.MAX_SAFE_INTEGER, text: '5', bytes: null, any: 5 },
    { n: -1.5e10 + 0.5, text: 'é\u{1F600}"\\', bytes: Buffer.from('é'), any: Buffer.from('5') },
  ]

  const setUp = async (row: Everything) => {
    await knex.raw('CREATE TABLE rows (id TEXT PRIMARY KEY, n REAL, text TEXT COLLATE NOCASE, bytes BLOB, "any")')
    await knex.raw('INSERT INTO rows VALUES (?, ?, ?, ?, ?)', ['r', row.n, row.text, row.bytes, row.any] as never)
    return knexVersionedStore<Everything, string>({ knex, table: 'rows', version: 'content' })
  }

  test.each(rows)('whatever the row holds is compared as it is', async (row) => {
    const store = await setUp(row)
    const stored = await optimisticUpdate({ store, id: 'r', maxAttempts: 1 }, (old) => ({ ...old, text: 'new' }))
    expect(stored).toEqual({ id: 'r', ...row, text: 'new' })
  })

  test.each<[keyof Everything, unknown, unknown]>([
    ['text', 'a', 'A'],
    ['text', 'a', 'a\0'],
    ['text', null, ''],
    ['any', 5, '5'],
    ['any', 'a', Buffer.from('a')],
    ['n', 1, 1.0000000000000002],
    ['bytes', Buffer.from([1]), Buffer.from([1, 0])],
  ])('S8: that %s was %s and is %s is seen', async (column, before, after) => {
    const empty = { n: 0, text: '', bytes: null, any: null }
    const store = await setUp({ ...empty, [column]: before })
    const call = optimisticUpdate({ store, id: 'r', maxAttempts: 1 }, async (row) => {
      await knex.raw(`UPDATE rows SET "${column}" = ?`, [after as never])
      return { ...row, [column]: before }
    })
    await expect(call).rejects.toMatchObject({ code: 'VERSION_CONFLICT', attempts: 1 })
    expect((await knex.raw('SELECT * FROM rows'))[0]).toEqual({ id: 'r', ...empty, [column]: after })
  })

  test('S3: a number that JavaScript may not have exactly is refused', async () => {
    const store = await setUp({ n: 0, text: '', bytes: null, any: null })
    await knex.raw('UPDATE rows SET "any" = 9007199254740993')
    await expect(store.read({ id: 'r', lock: false })).rejects.toThrow(
      'column "any" is 9007199254740992, which JavaScript may not have exactly',
    )
  })

  test('a row that was changed and changed back is the row that was read', async () => {
    const store = await setUp({ n: 1, text: '', bytes: null, any: null })
    const stored = await optimisticUpdate({ store, id: 'r', maxAttempts: 1 }, async (row) => {
      for (const n of [2, 1]) await knex.raw('UPDATE rows SET n = ?', [n])
      return { ...row, n: (row.n as number) + 1 }
    })
    expect(stored.n).toBe(2)
  })
})

test('a row that begins at a version it had before is taken for the old one: its column needs a default that does not repeat', async () => {
  const replacedMeanwhile = async (version: string) => {
    await knex.raw(`CREATE TABLE rows (id INTEGER PRIMARY KEY, n INTEGER, version INTEGER DEFAULT ${version})`)
    const insert = (n: number) => knex.raw('INSERT INTO rows (id, n) VALUES (1, ?)', [n])
    await insert(0)
    const store = knexVersionedStore<{ n: number }>({ knex, table: 'rows' })
    const stored = await optimisticUpdate({ store, id: 1 }, async ({ n }, { attempt }) => {
      if (attempt === 1) {
        await knex.raw('DELETE FROM rows')
        await insert(100)
      }
      return { n: n + 1 }
    })
    await knex.raw('DROP TABLE rows')
    return stored.n
  }
  expect(await replacedMeanwhile('1')).toBe(1)
  expect(await replacedMeanwhile('(abs(random() % 4503599627370496))')).toBe(101)
})
