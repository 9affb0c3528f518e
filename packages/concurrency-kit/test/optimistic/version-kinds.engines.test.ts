import { afterAll, beforeAll, expect } from 'vitest'
import { knexVersionedStore } from '../../src/entries/knex.ts'
import { pgVersionedStore } from '../../src/entries/pg.ts'
import { optimisticUpdate } from '../../src/optimistic/optimistic-update.ts'
import { onPostgres } from '../support/engines.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

const { describe, test } = onPostgres

interface Thing {
  readonly id: number
  readonly n: number
}

const count = (thing: Thing): Thing => ({ ...thing, n: thing.n + 1 })

describe('kinds of version on Postgres', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await testDatabase()
    await database.sql.raw(`CREATE TABLE things (
      id int PRIMARY KEY, n int NOT NULL, at timestamptz DEFAULT '2026-11-26 22:00:00.123456Z', x float8 DEFAULT 0.1::float8 + 0.2,
      amount numeric DEFAULT 1.50, document json DEFAULT '{"b": 1,  "a": 2}', bytes bytea DEFAULT '\\x00ff', place point DEFAULT '(1,2)')`)
  })
  afterAll(() => database.close())

  let lastId = 0
  const insert = async () => {
    lastId += 1
    await database.sql.raw('INSERT INTO things (id, n) VALUES (?, 0)', [lastId])
    return lastId
  }
  // Only `n` is written back: pg would make other texts of the json and the point.
  const toRow = ({ n }: Thing) => ({ n })
  const stores = (version: 'xmin' | 'content') =>
    [
      pgVersionedStore<Thing>({ pool: database.pool(), table: 'things', version, toRow }),
      knexVersionedStore<Thing>({ knex: database.knex(), table: 'things', version, toRow }),
    ] as const
  const rival = (id: number, set: string) => database.sql.raw(`UPDATE things SET ${set} WHERE id = ${id}`)

  test.each(['timestamptz', 'timestamp', 'date', 'time'])(
    'S4: a version column of type %s is refused, with the reason',
    async (type) => {
      const table = `stamped_${type}`
      await database.sql.raw(`CREATE TABLE ${table} (id int PRIMARY KEY, n int, updated_at ${type} DEFAULT now());
      INSERT INTO ${table} VALUES (1, 0)`)
      const options = { table, versionColumn: 'updated_at' }
      for (const store of [
        pgVersionedStore<Thing>({ pool: database.pool(), ...options }),
        knexVersionedStore<Thing>({ knex: database.knex(), ...options }),
      ]) {
        await expect(optimisticUpdate({ store, id: 1 }, count)).rejects.toThrow(
          `column "updated_at" of "${table}" is a time and cannot be a version: a Date loses its microseconds`,
        )
      }
    },
  )

  describe.each(['xmin', 'content'] as const)('%s', (version) => {
    test('a row of any types is read, written and counted, and no column of its own appears in it', async () => {
      for (const store of stores(version)) {
        const id = await insert()
        const stored = await optimisticUpdate({ store, id, maxAttempts: 1 }, count)
        expect(Object.keys(stored)).toEqual(['id', 'n', 'at', 'x', 'amount', 'document', 'bytes', 'place'])
        expect(stored.n).toBe(1)
      }
    })

    test.each([
      `at = at + interval '1 microsecond'`,
      'x = 0.3',
      'amount = 1.5',
      `document = '{"b": 1, "a": 2}'`,
      `bytes = '\\x00fe'`,
      `place = '(1,3)'`,
    ])('S8, S4: a rival’s %s is seen', async (set) => {
      for (const store of stores(version)) {
        const id = await insert()
        const attempts: number[] = []
        await optimisticUpdate({ store, id }, async (thing, { attempt }) => {
          attempts.push(attempt)
          if (attempt === 1) await rival(id, set)
          return count(thing)
        })
        expect(attempts).toEqual([1, 2])
      }
    })

    test('a row that is locked and not written is the row that was read', async () => {
      for (const store of stores(version)) {
        const id = await insert()
        const stored = await optimisticUpdate({ store, id, maxAttempts: 1 }, async (thing) => {
          await database.sql.transaction(async (transaction) => {
            await transaction.raw(`SELECT 1 FROM things WHERE id = ${id} FOR UPDATE`)
            await transaction.raw(`INSERT INTO things (id, n) VALUES (${id}, 9) ON CONFLICT DO NOTHING`)
          })
          return count(thing)
        })
        expect(stored.n).toBe(1)
      }
    })

    test('a session’s own settings change no version', async () => {
      const id = await insert()
      const pool = database.pool({ options: '-c timezone=Asia/Seoul -c datestyle=German -c extra_float_digits=-15' })
      const elsewhere = pgVersionedStore<Thing>({ pool, table: 'things', version, toRow })
      const [store] = stores(version)
      const [here, there] = await Promise.all([store, elsewhere].map((each) => each.read({ id, lock: false })))
      expect(there?.version).toBe(here?.version)
    })

    test('a table that is called as one of its columns', async () => {
      await database.sql.raw(
        `CREATE TABLE IF NOT EXISTS n (id int PRIMARY KEY, n int); TRUNCATE n; INSERT INTO n VALUES (1, 0)`,
      )
      const store = pgVersionedStore<Thing>({ pool: database.pool(), table: 'n', version })
      expect(await optimisticUpdate({ store, id: 1 }, count)).toEqual({ id: 1, n: 1 })
    })
  })

  test('xmin: a row that was frozen, or changed and changed back', async () => {
    const [store] = stores('xmin')
    const id = await insert()
    const before = await store.read({ id, lock: false })
    await database.sql.raw('VACUUM (FREEZE) things')
    expect(await store.read({ id, lock: false })).toEqual(before)
    const call = optimisticUpdate({ store, id, maxAttempts: 1 }, async (thing) => {
      for (const n of [5, 0]) await rival(id, `n = ${n}`)
      return count(thing)
    })
    await expect(call).rejects.toMatchObject({ code: 'VERSION_CONFLICT' })
  })
})
