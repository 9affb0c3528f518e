import type { Knex } from 'knex'
import type { KnexClient } from '../../src/knex/knex-client.ts'

/** The instance as a store sees it when `between` happens after its first statement, and before the next. */
export function interruptedKnex(knex: Knex, between: () => Promise<unknown>): KnexClient {
  let happened: Promise<unknown> | undefined
  const after = async <Rows>(answer: PromiseLike<Rows>): Promise<Rows> => {
    const rows = await answer
    happened ??= between()
    await happened
    return rows
  }
  return {
    client: knex.client,
    transactionProvider: () => knex.transactionProvider() as never,
    raw(sql, bindings) {
      const statement = knex.raw(sql, bindings)
      if (knex.client.driverName !== 'pg') return after(statement)
      // There each statement is given a time.
      const timeout = statement.timeout.bind(statement)
      return Object.assign(statement, { timeout: (ms: number) => after(timeout(ms)) })
    },
  }
}
