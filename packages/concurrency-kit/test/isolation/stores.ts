import createKnex, { type Knex } from 'knex'
import pg from 'pg'
import { knexIdempotencyStore, knexVersionedStore } from '../../src/entries/knex.ts'
import { pgIdempotencyStore, pgVersionedStore } from '../../src/entries/pg.ts'
import type { TransactionalIdempotencyStore } from '../../src/idempotency/idempotency-store.ts'
import type { TransactableVersionedStore } from '../../src/optimistic/versioned-store.ts'
import type { IsolationLevel } from '../../src/sql/isolation-level.ts'

const CONNECTIONS = 12

export interface Account {
  readonly id: number
  readonly balance: number
}

/** What one process has of a store. */
interface Opened<Transaction> {
  readonly records: TransactionalIdempotencyStore<Transaction>
  readonly accounts: TransactableVersionedStore<number, Account, number, Transaction>
  addEffect(transaction: Transaction, key: string): Promise<unknown>
  close(): unknown
}

type Open<Transaction> = (connectionString: string, isolationLevel: IsolationLevel) => Opened<Transaction>

const throughKnex: Open<Knex.Transaction> = (connection, isolationLevel) => {
  const knex = createKnex({ client: 'pg', connection, pool: { min: 0, max: CONNECTIONS }, log: { warn: () => {} } })
  return {
    records: knexIdempotencyStore({ knex, isolationLevel }),
    accounts: knexVersionedStore<Account>({ knex, table: 'accounts' }),
    addEffect: (transaction, key) => transaction.raw('INSERT INTO effects VALUES (?)', [key]),
    close: () => knex.destroy(),
  }
}

const throughPg =
  (groupCommit: boolean): Open<pg.PoolClient> =>
  (connectionString, isolationLevel) => {
    const pool = new pg.Pool({ connectionString, max: CONNECTIONS, pipeline: true })
    pool.on('error', () => {})
    return {
      records: pgIdempotencyStore({ pool, isolationLevel, groupCommit }),
      accounts: pgVersionedStore<Account>({ pool, table: 'accounts' }),
      addEffect: (transaction, key) => transaction.query('INSERT INTO effects VALUES ($1)', [key]),
      close: () => pool.end(),
    }
  }

export const stores = {
  knex: throughKnex as Open<unknown>,
  pg: throughPg(false) as Open<unknown>,
  'pg, group commit': throughPg(true) as Open<unknown>,
} satisfies Record<string, Open<unknown>>

export type StoreName = keyof typeof stores
