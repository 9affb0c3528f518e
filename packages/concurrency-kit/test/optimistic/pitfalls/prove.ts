import { expect, type describe as vitestDescribe, type test as vitestTest } from 'vitest'
import { isStoreError } from '../../../src/errors.ts'
import { optimisticUpdate } from '../../../src/optimistic/optimistic-update.ts'
import type { Row } from '../../../src/sql/database.ts'
import { type RowDatabase, wayNames, ways } from './row-stores.ts'

interface Runner {
  readonly describe: Pick<typeof vitestDescribe, 'each'> & ((name: string, body: () => void) => void)
  readonly test: typeof vitestTest
}

const count = (row: Row): Row => ({ ...row, n: Number(row['n']) + 1 })

/** As date and decimal libraries write them: two of them look the same from outside. */
class Won {
  readonly #amount: number
  constructor(amount: number) {
    this.#amount = amount
  }
  plus(amount: number): Won {
    return new Won(this.#amount + amount)
  }
  toPostgres(): string {
    return String(this.#amount)
  }
}

/** Faults of versioned rows that every database and client can have; each test makes tables of its own. */
export function proveRowPitfalls({ describe, test }: Runner, name: string, open: () => Promise<RowDatabase>): void {
  const prove = (title: string, body: (database: RowDatabase) => Promise<void>) =>
    test(title, async () => {
      const database = await open()
      try {
        await body(database)
      } finally {
        await database.close()
      }
    })

  describe(`versioned rows: ${name}`, () => {
    for (const way of wayNames) {
      prove(`V1: ${way}: columns that change does not touch stay as they are`, async (database) => {
        await database.sql(`CREATE TABLE things (id int PRIMARY KEY, n int, wide bigint, made text DEFAULT 'yesterday',
          twice int GENERATED ALWAYS AS (n * 2) STORED, version int)`)
        await database.sql('INSERT INTO things (id, n, wide, version) VALUES (1, 0, 9007199254740993, 1)')
        const store = database.store({ table: 'things' })
        const stored = await ways[way](database, store, 1, (row) => ({ ...count(row), made: `${row['made']}` }))
        expect(stored).toMatchObject({ n: 1, twice: 2 })
        expect(await database.sql('SELECT n, CAST(wide AS text) AS wide, twice, version FROM things')).toEqual([
          { n: 1, wide: '9007199254740993', twice: 2, version: 2 },
        ])
      })

      prove(
        `V1: ${way}: an object that keeps its value to itself, set anew, is written or refused`,
        async (database) => {
          await database.sql('CREATE TABLE things (id int PRIMARY KEY, n int, version int)')
          await database.sql('INSERT INTO things VALUES (1, 100, 1)')
          const fromRow = ({ id, n }: Row): Row => ({ id, n: new Won(Number(n)) })
          const raise = (row: Row): Row => ({ ...row, n: (row['n'] as Won).plus(50) })
          const refused = ways[way](database, database.store({ table: 'things', fromRow }), 1, raise)
          // Only pg asks an object how it wants to be sent.
          if (database.dialect === 'postgres') await refused
          else await expect(refused).rejects.toThrow('value cannot be stored: $.n is a Won')
          const n = database.dialect === 'postgres' ? 150 : 100
          expect(await database.sql('SELECT n FROM things')).toEqual([{ n }])
        },
      )

      prove(`V1: ${way}: a new value without a changed column is a write all the same`, async (database) => {
        await database.sql('CREATE TABLE things (id int PRIMARY KEY, n int, version int)')
        await database.sql('INSERT INTO things VALUES (1, 0, 1)')
        await ways[way](database, database.store({ table: 'things' }), 1, (row) => ({ ...row }))
        expect(await database.sql('SELECT n, version FROM things')).toEqual([{ n: 0, version: 2 }])
      })

      prove(
        `V1: ${way}: with a form of its own, what toRow makes of an untouched part is not written`,
        async (database) => {
          await database.sql('CREATE TABLE things (id int PRIMARY KEY, n int, tags text, version int)')
          // Not what toRow would write: spaces.
          await database.sql(`INSERT INTO things VALUES (1, 0, '[ 1,  2 ]', 1)`)
          const store = database.store({
            table: 'things',
            fromRow: ({ id, n, tags }: Row) => ({ id, n, tags: JSON.parse(tags as string) }),
            toRow: ({ tags, ...row }: Row) => ({ ...row, tags: JSON.stringify(tags) }),
          })
          await ways[way](database, store, 1, count)
          expect(await database.sql('SELECT n, tags FROM things')).toEqual([{ n: 1, tags: '[ 1,  2 ]' }])
          await ways[way](database, store, 1, (row) => ({ ...row, tags: [3] }))
          expect(await database.sql('SELECT n, tags FROM things')).toEqual([{ n: 1, tags: '[3]' }])
        },
      )

      prove(`V2: ${way}: an id that several rows have is refused before anything is written`, async (database) => {
        await database.sql(
          'CREATE TABLE orders (tenant_id int, id int, n int, version int, PRIMARY KEY (tenant_id, id))',
        )
        await database.sql('INSERT INTO orders VALUES (1, 7, 0, 1), (2, 7, 0, 1)')
        const store = database.store({ table: 'orders' })
        await expect(ways[way](database, store, 7, count)).rejects.toSatisfy(
          (error: Error) =>
            isStoreError(error) &&
            !error.transient &&
            error.message.includes('"id" of "orders" is 7 in several rows: nothing was written'),
        )
        expect(await database.sql('SELECT n, version FROM orders')).toEqual([
          { n: 0, version: 1 },
          { n: 0, version: 1 },
        ])
      })

      prove(
        `V2: ${way}: idColumns names all columns of a key, and the rows of others are left alone`,
        async (database) => {
          await database.sql(
            'CREATE TABLE orders (tenant_id int, id int, n int, version int, PRIMARY KEY (tenant_id, id))',
          )
          await database.sql('INSERT INTO orders VALUES (1, 7, 0, 1), (2, 7, 0, 1)')
          const store = database.store({ table: 'orders', idColumns: ['tenant_id', 'id'] })
          expect(await ways[way](database, store, { id: 7, tenant_id: 2 }, count)).toEqual({
            tenant_id: 2,
            id: 7,
            n: 1,
          })
          expect(await database.sql('SELECT tenant_id, n, version FROM orders ORDER BY 1')).toEqual([
            { tenant_id: 1, n: 0, version: 1 },
            { tenant_id: 2, n: 1, version: 2 },
          ])
          await expect(
            ways[way](database, store, { tenant_id: 2, id: 7 }, (row) => ({ ...row, tenant_id: 1 })),
          ).rejects.toThrow('change must not change tenant_id, but changed it from 2 to 1')
        },
      )

      prove(`V4: ${way}: an id that only the database finds equal is no change of the id`, async (database) => {
        await database.sql('CREATE TABLE things (id int PRIMARY KEY, n int, version int)')
        await database.sql('INSERT INTO things VALUES (7, 0, 1)')
        const store = database.store({ table: 'things' })
        expect(await ways[way](database, store, '07', count)).toEqual({ id: 7, n: 1 })
        const moved = ways[way](database, store, '07', (row) => ({ ...row, id: '07' }))
        await expect(moved).rejects.toThrow('change must not change id, but changed it from 7 to 07')
      })

      prove(`V10: ${way}: a view is refused: what its trigger does with a write cannot be seen`, async (database) => {
        await database.sql('CREATE TABLE base (id int PRIMARY KEY, n int, version int)')
        await database.sql('INSERT INTO base VALUES (1, 0, 1)')
        await database.sql('CREATE VIEW seen AS SELECT * FROM base')
        if (database.dialect === 'sqlite')
          await database.sql('CREATE TRIGGER ignored INSTEAD OF UPDATE ON seen BEGIN SELECT 1; END')
        else
          await database.sql(`CREATE FUNCTION ignored() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
            CREATE TRIGGER ignored INSTEAD OF UPDATE ON seen FOR EACH ROW EXECUTE FUNCTION ignored()`)
        const store = database.store({ table: 'seen' })
        await expect(ways[way](database, store, 1, count)).rejects.toThrow('"seen" is a view')
        expect((await ways[way](database, database.store({ table: 'base' }), 1, count))['n']).toBe(1)
      })

      prove(`V11: ${way}: what a database would take for something else is refused by its place`, async (database) => {
        await database.sql('CREATE TABLE things (id int PRIMARY KEY, n float, note text, version int)')
        await database.sql(`INSERT INTO things VALUES (1, 0, 'old', 1)`)
        const store = database.store({ table: 'things' })
        for (const [column, value, what] of [
          ['note', undefined, 'undefined'],
          ['n', Number.NaN, 'NaN'],
          ['n', Number.POSITIVE_INFINITY, 'Infinity'],
          ['note', () => 1, 'a function'],
          ['note', Symbol('s'), 'a symbol'],
          ['note', new (class Money {})(), 'a Money'],
          ['note', new Date(Number.NaN), 'an invalid Date'],
          ['note', 'a\ud800b', 'text with a lone surrogate'],
        ] as const) {
          await expect(ways[way](database, store, 1, (row) => ({ ...row, [column]: value }))).rejects.toThrow(
            new TypeError(`value cannot be stored: $.${column} is ${what}`),
          )
        }
        expect(await database.sql('SELECT * FROM things')).toEqual([{ id: 1, n: 0, note: 'old', version: 1 }])
      })
    }

    prove('V11: a whole number in a column of text reads as one', async (database) => {
      await database.sql('CREATE TABLE things (id int PRIMARY KEY, note text, version int)')
      await database.sql(`INSERT INTO things VALUES (1, '', 1)`)
      for (const way of wayNames)
        for (const number of [150, -7, 1.5]) {
          await ways[way](database, database.store({ table: 'things' }), 1, (row) => ({ ...row, note: number }))
          expect(await database.sql('SELECT note FROM things')).toEqual([{ note: `${number}` }])
        }
    })

    prove('V4: an id with a lone surrogate is refused: it would be that of another row', async (database) => {
      await database.sql('CREATE TABLE things (id varchar(9) PRIMARY KEY, n int, version int)')
      await database.sql(`INSERT INTO things VALUES ('a\ufffd', 0, 1)`)
      const store = database.store({ table: 'things' })
      for (const way of wayNames)
        await expect(ways[way](database, store, 'a\ud800', count)).rejects.toThrow(
          new TypeError('id must be without lone surrogates, but is "a\\ud800"'),
        )
      expect(await database.sql('SELECT n FROM things')).toEqual([{ n: 0 }])
    })

    prove('V2: a second row with the id that comes after the read is not written either', async (database) => {
      await database.sql('CREATE TABLE loose (id int, n int, version int)')
      await database.sql('INSERT INTO loose VALUES (1, 0, 1)')
      const store = database.store({ table: 'loose' })
      const call = optimisticUpdate({ store, id: 1, lockAfter: 10 }, async (row) => {
        await database.sql('INSERT INTO loose VALUES (1, 50, 1)')
        return count(row)
      })
      await expect(call).rejects.toThrow('is 1 in several rows')
      expect(await database.sql('SELECT n, version FROM loose ORDER BY n')).toEqual([
        { n: 0, version: 1 },
        { n: 50, version: 1 },
      ])
    })

    prove('V2: many writers of rows with ids of several columns: each sum is exact', async (database) => {
      await database.sql('CREATE TABLE orders (tenant_id int, id int, n int, version int, PRIMARY KEY (tenant_id, id))')
      await database.sql('INSERT INTO orders VALUES (1, 7, 0, 1), (2, 7, 0, 1)')
      const store = database.store({ table: 'orders', idColumns: ['tenant_id', 'id'] })
      await Promise.all(
        Array.from({ length: 30 }, (_, n) =>
          optimisticUpdate({ store, id: { tenant_id: 1 + (n % 2), id: 7 }, lockAfter: 1, maxAttempts: 1_000 }, count),
        ),
      )
      expect(await database.sql('SELECT n, version FROM orders')).toEqual([
        { n: 15, version: 16 },
        { n: 15, version: 16 },
      ])
    })

    prove('V2: an id has every column of idColumns and no other, and is told by content', async (database) => {
      await database.sql('CREATE TABLE orders (tenant_id int, id int, n int, version int, PRIMARY KEY (tenant_id, id))')
      const store = database.store({ table: 'orders', idColumns: ['tenant_id', 'id'] })
      for (const id of [7, { id: 7 }, { tenant_id: 1, id: undefined }, { tenant_id: 1, id: 7, n: 1 }, null])
        await expect(optimisticUpdate({ store, id }, count)).rejects.toThrow(/^id must be an object with tenant_id, id/)
      await expect(optimisticUpdate({ store, id: { tenant_id: 1, id: 7 } }, count)).rejects.toThrow(
        'no row tenant_id 1, id 7',
      )
      const wrong = (options: object) => () => database.store({ table: 'orders', ...options })
      expect(wrong({ idColumn: 'id', idColumns: ['id'] })).toThrow('idColumn and idColumns must not be given together')
      expect(wrong({ idColumns: [] })).toThrow('idColumns must be a list of different column names')
      expect(wrong({ idColumns: ['id', 'id'] })).toThrow('idColumns must be a list of different column names')
    })

    prove('V7: a fromRow that throws on what was stored says that the write stands', async (database) => {
      await database.sql('CREATE TABLE things (id int PRIMARY KEY, n int, version int)')
      await database.sql('INSERT INTO things VALUES (1, 0, 1)')
      const broken = new Error('no such amount')
      const store = database.store({
        table: 'things',
        fromRow: (row: Row) => {
          if (Number(row['n']) % 2 === 1) throw broken
          return row
        },
      })
      const rows = () => database.sql('SELECT n, version FROM things')
      await expect(ways.alone(database, store, 1, count)).rejects.toSatisfy(
        (error: Error) =>
          isStoreError(error) &&
          !error.transient &&
          error.cause === broken &&
          error.message.includes('the row was written'),
      )
      expect(await rows()).toEqual([{ n: 1, version: 2 }])
      await database.sql('UPDATE things SET n = 0, version = 1')
      await expect(ways['under its lock'](database, store, 1, count)).rejects.toSatisfy(
        (error: Error) =>
          isStoreError(error) && error.cause === broken && error.message.includes('nothing was written'),
      )
      expect(await rows()).toEqual([{ n: 0, version: 1 }])
    })

    prove('V9: the last version that JavaScript counts exactly is refused before the write', async (database) => {
      await database.sql('CREATE TABLE things (id int PRIMARY KEY, n int, version bigint)')
      await database.sql('INSERT INTO things VALUES (1, 0, 9007199254740991)')
      const store = database.store({ table: 'things' })
      for (const way of wayNames)
        await expect(ways[way](database, store, 1, count)).rejects.toThrow('must be a whole number below 2^53')
      expect(await database.sql('SELECT n FROM things')).toEqual([{ n: 0 }])
    })

    prove('V9: a version column of floating point is refused', async (database) => {
      for (const type of ['real', 'double precision']) {
        await database.sql(`CREATE TABLE things (id int PRIMARY KEY, n int, version ${type})`)
        await database.sql('INSERT INTO things VALUES (1, 0, 1)')
        const store = database.store({ table: 'things' })
        for (const way of wayNames)
          await expect(ways[way](database, store, 1, count)).rejects.toThrow(
            /column "version" of "things" .*(real|double)/,
          )
        expect(await database.sql('SELECT n FROM things')).toEqual([{ n: 0 }])
        await database.sql('DROP TABLE things')
      }
    })
  })
}
