import type { Knex } from 'knex'
import type pg from 'pg'

/** The ways in which a handler can send a statement through its transaction, by name. */
export type WaysToSend = Readonly<Record<string, (transaction: never, sql: string) => Promise<unknown>>>

/** Ways to nest a transaction in a handler's, by name: `work` gets what it sends its statements through. */
export type WaysToNest = Readonly<
  Record<string, (transaction: never, work: (inner: never) => Promise<unknown>) => Promise<unknown>>
>

export const nestedInKnex: WaysToNest = {
  transaction: (transaction: Knex.Transaction, work) => transaction.transaction((inner) => work(inner as never)),
  savepoint: (transaction: Knex.Transaction, work) => transaction.savepoint((inner) => work(inner as never)),
  'a savepoint by hand': bySavepoint((transaction: Knex.Transaction, sql) => transaction.raw(sql)),
}

export const nestedInPg: WaysToNest = {
  'a savepoint by hand': bySavepoint((transaction: pg.PoolClient, sql) => transaction.query(sql)),
}

function bySavepoint(query: (transaction: never, sql: string) => PromiseLike<unknown>): WaysToNest[string] {
  return async (transaction, work) => {
    await query(transaction, 'SAVEPOINT by_hand')
    try {
      return await work(transaction)
    } catch (error) {
      await query(transaction, 'ROLLBACK TO SAVEPOINT by_hand')
      throw error
    }
  }
}

export function throughKnex(knex: Knex): WaysToSend {
  return {
    raw: async (transaction: Knex.Transaction, sql) => transaction.raw(sql),
    transacting: async (transaction: Knex.Transaction, sql) => knex.raw(sql).transacting(transaction),
    'the schema builder': async (transaction: Knex.Transaction, sql) => transaction.schema.raw(sql),
    'a nested transaction': (transaction: Knex.Transaction, sql) =>
      transaction.transaction(async (inner) => inner.raw(sql)),
    'a savepoint': (transaction: Knex.Transaction, sql) => transaction.savepoint(async (inner) => inner.raw(sql)),
  }
}

export const throughPg: WaysToSend = {
  query: (transaction: pg.PoolClient, sql) => transaction.query(sql),
  'a query of its own kind': (transaction: pg.PoolClient, sql) => transaction.query({ text: sql, values: [] }),
  callback: (transaction: pg.PoolClient, sql) =>
    new Promise((resolve, reject) => {
      transaction.query(sql, (error, result) => (error ? reject(error) : resolve(result)))
    }),
}
