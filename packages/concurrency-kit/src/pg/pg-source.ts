import type { Row } from '../sql/database.ts'
import type { PgPool, PgPoolClient, PgQuery, PgStatements } from './pg-client.ts'
import { PreparedStatements } from './prepared-statements.ts'
import { type TakenClient, takeClient } from './take-client.ts'

/** The transaction that a handler gets, and a callback for its end. */
export interface Handed<Transaction> {
  readonly transaction: Transaction
  ended?(committed: boolean): void
}

/** A source of connections to Postgres, and the form of the caller's transactions on it. */
export interface PgSource<Client extends PgPoolClient, Transaction, Inside> {
  /** Name of the caller's client, such as `pg`. */
  readonly name: string
  readonly prepared: PreparedStatements
  take(): Promise<TakenClient<Client>>
  hand(guarded: Client): Handed<Transaction> | Promise<Handed<Transaction>>
  /** The client behind a transaction of the caller. */
  within(transaction: Inside): PgStatements | Promise<PgStatements>
  /** Converts rows of the caller's own table as its client would. */
  callersRows(rows: Row[]): Row[]
  /** Called for each of the kit's statements. */
  onSend?(query: PgQuery): void
}

/** The caller's pool of `pg`. */
export function pgSource<Client extends PgPoolClient>(pool: PgPool): PgSource<Client, Client, PgStatements> {
  return {
    name: 'pg',
    prepared: PreparedStatements.of(pool),
    take: () => takeClient(pool as { connect(): Promise<Client> }),
    hand: (transaction) => ({ transaction }),
    within(transaction) {
      expectTransaction(transaction)
      return transaction
    },
    callersRows: (rows) => rows,
  }
}

/** A pool has `query` as well, but sends each statement on any of its connections: outside of every transaction. */
function expectTransaction(transaction: PgStatements): void {
  if (Reflect.get(transaction, 'totalCount') !== undefined)
    throw new TypeError('transaction must be a pg client that has begun one, but is a pg.Pool')
}
