import { StoreError } from '../errors.ts'
import type { KnexClient, KnexTransaction } from './knex-client.ts'

interface Over<Transaction> {
  readonly transaction: Transaction
  /** Tells Knex that the transaction is over; nothing is sent. */
  ended(committed: boolean): void
}

/**
 * A Knex transaction over a connection on which the kit has begun one, and will end it.
 *
 * Knex sends its BEGIN to the connection that it is given here, and its COMMIT or ROLLBACK once it is told that it is over:
 * `connection` answers these three by itself.
 *
 * @param connection - Makes the connection for Knex; `own` says whether a statement is one of the three.
 */
export async function transactionOver<Transaction extends KnexTransaction>(
  knex: KnexClient<Transaction>,
  connection: (own: (sql: string) => boolean) => object,
): Promise<Over<Transaction>> {
  let state: 'beginning' | 'open' | 'over' = 'beginning'
  const own = (sql: string) => {
    if (state === 'beginning') return sql === 'BEGIN;'
    return state === 'over' && (sql === 'COMMIT;' || sql === 'ROLLBACK')
  }
  const transaction = await knex.transactionProvider({ connection: connection(own) })()
  state = 'open'
  // Knex rejects it where it is rolled back with an error; without a listener it would be an unhandled rejection.
  transaction.executionPromise.catch(() => {})
  const end = { commit: transaction.commit, rollback: transaction.rollback }
  const refuse = () => {
    throw new StoreError('the transaction is ended by whoever began it, not by the handler: nothing was sent')
  }
  transaction.commit = refuse
  transaction.rollback = refuse
  return {
    transaction,
    ended(committed) {
      state = 'over'
      const over = (committed ? end.commit : end.rollback).call(transaction)
      Promise.resolve(over).catch(() => {})
    },
  }
}
