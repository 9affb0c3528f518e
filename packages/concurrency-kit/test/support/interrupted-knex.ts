import type { Knex } from 'knex'
import type { KnexClient } from '../../src/knex/knex-client.ts'

/** The instance as a store sees it when `between` happens after its first statement, and before the next. */
export function interruptedKnex(knex: Knex, between: () => Promise<unknown>): KnexClient {
  let happened: Promise<unknown> | undefined
  let statements = 0
  const client = Object.create(knex.client, {
    acquireConnection: {
      async value() {
        statements += 1
        if (statements > 1) happened ??= between()
        await happened
        return knex.client.acquireConnection()
      },
    },
  })
  return {
    client,
    raw: (sql, bindings) => knex.raw(sql, bindings),
    transactionProvider: () => knex.transactionProvider() as never,
  }
}
