import type { Knex } from 'knex'
import type pg from 'pg'
import { knexIdempotencyStore, knexVersionedStore } from '../../src/entries/knex.ts'
import { pgIdempotencyStore, pgVersionedStore } from '../../src/entries/pg.ts'
import type { TransactionalIdempotencyStore } from '../../src/idempotency/idempotency-store.ts'
import { optimisticUpdate } from '../../src/optimistic/optimistic-update.ts'
import type { TransactableVersionedStore } from '../../src/optimistic/versioned-store.ts'
import type { IsolationLevel } from '../../src/sql/isolation-level.ts'
import type { TestDatabase } from './postgres.ts'
import {
  throughKnex as knexWays,
  nestedInKnex,
  nestedInPg,
  throughPg as pgWays,
  type WaysToNest,
  type WaysToSend,
} from './ways-to-send.ts'

export interface Account {
  readonly id: number
  readonly balance: number
}

interface ProcessOptions {
  readonly url?: string
  readonly max?: number
  readonly isolationLevel?: IsolationLevel
  readonly commandMs?: number
}

/** Stores and a pool of their own, as another process has them, whichever the client. */
export interface Process<Transaction> {
  readonly store: TransactionalIdempotencyStore<Transaction>
  readonly accounts: TransactableVersionedStore<number, Account, number, Transaction>
  query(transaction: Transaction, sql: string): Promise<Record<string, unknown>[]>
  /** The ways in which a handler can send a statement. */
  readonly ways: WaysToSend
  readonly nested: WaysToNest
  /** One statement through the same pool, as the application sends it besides. */
  ask(sql: string): Promise<Record<string, unknown>[]>
  /** Takes a connection out of the pool, and gives the function that puts it back. */
  occupy(): Promise<() => Promise<unknown>>
}

export type Client = (database: TestDatabase, options?: ProcessOptions) => Process<unknown>

/** Adds 1 to the balance of account 1, within the transaction. */
export function credit<Transaction>(process: Process<Transaction>, transaction: Transaction): Promise<Account> {
  const store = process.accounts.within(transaction)
  return optimisticUpdate({ store, id: 1 }, (account) => ({ ...account, balance: account.balance + 1 }))
}

export const clients: readonly (readonly [string, Client])[] = [
  ['knex', throughKnex as Client],
  ['pg', throughPg(false) as Client],
  ['pg, pipelining', throughPg(true) as Client],
  ['pg, group commit', throughPg(true, true) as Client],
]

function throughKnex(
  database: TestDatabase,
  { url, max = 10, ...options }: ProcessOptions = {},
): Process<Knex.Transaction> {
  const knex = database.knex(url === undefined ? { max } : { connectionString: url, max })
  return {
    store: knexIdempotencyStore({ knex, ...options }),
    accounts: knexVersionedStore<Account>({ knex, table: 'accounts' }),
    query: async (transaction, sql) => (await transaction.raw(sql)).rows,
    ways: knexWays(knex),
    nested: nestedInKnex,
    ask: async (sql) => (await knex.raw(sql)).rows,
    occupy: async () => {
      const connection = await knex.client.acquireConnection()
      return async () => knex.client.releaseConnection(connection)
    },
  }
}

function throughPg(pipeline: boolean, groupCommit = false) {
  return (database: TestDatabase, { url, max = 10, ...options }: ProcessOptions = {}): Process<pg.PoolClient> => {
    const pool = database.pool({ pipeline, max, ...(url !== undefined && { connectionString: url }) })
    return {
      store: pgIdempotencyStore({ pool, groupCommit, ...options }),
      accounts: pgVersionedStore<Account>({ pool, table: 'accounts' }),
      query: async (transaction, sql) => (await transaction.query(sql)).rows,
      ways: pgWays,
      nested: nestedInPg,
      ask: async (sql) => (await pool.query(sql)).rows,
      occupy: async () => {
        const client = await pool.connect()
        return async () => client.release()
      },
    }
  }
}
