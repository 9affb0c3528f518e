import { setImmediate } from 'node:timers/promises'
import { StoreError } from '../errors.ts'
import { passes } from '../sql/errors.ts'
import type { KnexClient, KnexTransaction } from './knex-client.ts'

/** A transaction that only its owner can end, and that remembers which of its statements failed for a reason that passes. */
export interface OwnedTransaction<Transaction> {
  readonly transaction: Transaction
  /** The error of a statement of this transaction after which all of it must be run again. */
  passing(): unknown
  /** Rejects unless the database says that it has committed. */
  commit(): Promise<void>
  /** Never rejects: a connection that cannot roll back is of no use, and the pool drops it. */
  rollback(): Promise<void>
}

export async function begin<Transaction extends KnexTransaction>(
  knex: KnexClient<Transaction>,
): Promise<OwnedTransaction<Transaction>> {
  const transaction = await knex.transactionProvider()()
  // better-sqlite3 answers synchronously: without this turn of the event loop, a row of transactions would let no other
  // request in, and no timer or new connection either.
  await setImmediate()
  const end = { commit: transaction.commit, rollback: transaction.rollback }
  // Knex reports a failed COMMIT here alone; without a listener it would be an unhandled rejection.
  const executed = transaction.executionPromise
  executed.catch(() => {})
  let passing: unknown
  transaction.on('query-error', (error) => {
    if (passes(error)) passing = error
  })
  const refuse = () => {
    throw new StoreError('the transaction is ended by whoever began it, not by the handler')
  }
  transaction.commit = refuse
  transaction.rollback = refuse
  return {
    transaction,
    passing: () => passing,
    async commit() {
      await end.commit.call(transaction)
      await executed
    },
    async rollback() {
      try {
        if (!transaction.isCompleted()) await end.rollback.call(transaction)
      } catch {}
    },
  }
}
