import type { Knex } from 'knex'
import type pg from 'pg'
import { knexVersionedStore } from '../../../src/entries/knex.ts'
import { pgVersionedStore } from '../../../src/entries/pg.ts'
import { optimisticUpdate } from '../../../src/optimistic/optimistic-update.ts'
import type { TransactableVersionedStore } from '../../../src/optimistic/versioned-store.ts'
import type { Row } from '../../../src/sql/database.ts'

export type RowStore<Value, Id = unknown> = TransactableVersionedStore<Id, Value, number, unknown>

/** Options of any store of rows in SQL; some that a test gives must be refused. */
type TableOptions = Record<string, unknown> & { readonly table: string }

/** A database with versioned rows, through one client. */
export interface RowDatabase {
  readonly dialect: 'sqlite' | 'postgres'
  /** By a connection that nothing is special about. */
  sql(text: string): Promise<Row[]>
  store<Value extends object = Row>(options: TableOptions): RowStore<Value>
  transaction<Result>(run: (transaction: unknown) => Promise<Result>): Promise<Result>
  close(): Promise<unknown>
}

type Change<Value> = (value: Value) => Value

/** The three ways in which a row is written. */
export const ways = {
  alone: (_database: RowDatabase, store: RowStore<Row>, id: unknown, change: Change<Row>) =>
    optimisticUpdate({ store, id, maxAttempts: 1 }, change),
  'under its lock': async (_database: RowDatabase, store: RowStore<Row>, id: unknown, change: Change<Row>) =>
    (await store.updateLocked?.({ id }, ({ value }) => ({ value: change(value) })))?.value as Row,
  'within a transaction': (database: RowDatabase, store: RowStore<Row>, id: unknown, change: Change<Row>) =>
    database.transaction((transaction) => optimisticUpdate({ store: store.within(transaction), id }, change)),
} as const

export const wayNames = Object.keys(ways) as (keyof typeof ways)[]

export function throughKnex(
  dialect: RowDatabase['dialect'],
  knex: Knex,
  plain: Knex,
  close: () => Promise<unknown>,
): RowDatabase {
  return {
    dialect,
    async sql(text) {
      const answer = await plain.raw(text)
      return Array.isArray(answer) ? answer : (answer.rows ?? [])
    },
    store: (options) => knexVersionedStore({ knex, ...options }) as never,
    transaction: (run) => knex.transaction(run),
    close,
  }
}

export function throughPg(pool: pg.Pool, plain: Knex, close: () => Promise<unknown>): RowDatabase {
  return {
    dialect: 'postgres',
    sql: async (text) => (await plain.raw(text)).rows ?? [],
    store: (options) => pgVersionedStore({ pool, ...options }) as never,
    async transaction(run) {
      const client = await pool.connect()
      try {
        await client.query('BEGIN')
        const result = await run(client)
        await client.query('COMMIT')
        return result
      } catch (error) {
        await client.query('ROLLBACK')
        throw error
      } finally {
        client.release()
      }
    },
    close,
  }
}
