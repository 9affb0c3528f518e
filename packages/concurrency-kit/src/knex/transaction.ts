import { setImmediate } from 'node:timers/promises'
import { StoreError } from '../errors.ts'
import { dialectOf, type KnexClient, type KnexTransaction } from './knex-client.ts'

/** A transaction that only whoever began it can end. */
export interface BegunTransaction<Transaction> {
  readonly transaction: Transaction
  /** Rejects unless the database says that it has committed. */
  commit(): Promise<void>
  /** Never rejects: a connection that cannot roll back is of no use, and the pool drops it. */
  rollback(): Promise<void>
}

export async function begin<Transaction extends KnexTransaction>(
  knex: KnexClient<Transaction>,
  config: { readonly isolationLevel?: string } = {},
): Promise<BegunTransaction<Transaction>> {
  const transaction = await knex.transactionProvider(config)()
  // Knex also gives a transaction whose BEGIN has failed, and the reason here alone.
  if (transaction.isCompleted()) await transaction.executionPromise
  // better-sqlite3 answers synchronously: without this turn of the event loop, a row of transactions would let no other
  // request in, and no timer or new connection either.
  if (!dialectOf(knex).remote) await setImmediate()
  const end = { commit: transaction.commit, rollback: transaction.rollback }
  // Knex reports a failed COMMIT here alone; without a listener it would be an unhandled rejection.
  const executed = transaction.executionPromise
  executed.catch(() => {})
  const refuse = () => {
    throw new StoreError('the transaction is ended by whoever began it, not by the handler')
  }
  transaction.commit = refuse
  transaction.rollback = refuse
  return {
    transaction,
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
