import { endRefused } from '../sql/loan.ts'
import type { KnexClient, KnexTransaction } from './knex-client.ts'

interface Over<Transaction> {
  readonly transaction: Transaction
  /** Tells Knex that the transaction has ended; nothing is sent. */
  ended(committed: boolean): void
}

/**
 * A Knex transaction over a connection on which the kit begins and ends the transaction.
 *
 * Knex still sends its own BEGIN to that connection, and its COMMIT or ROLLBACK after `ended`. The connection must answer these
 * three itself.
 *
 * @param connection - Makes the connection for Knex; `own` tells whether a statement is one of the three.
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
  // Knex rejects this promise after a rollback with an error; without a handler it would be an unhandled rejection.
  transaction.executionPromise.catch(() => {})
  const end = { commit: transaction.commit, rollback: transaction.rollback }
  const refuse = () => {
    throw endRefused()
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
