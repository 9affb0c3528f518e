import type { PgPoolClient, PgQuery, PgResult, PgStatements } from '../pg/pg-client.ts'
import type { PgSource } from '../pg/pg-source.ts'
import { PreparedStatements } from '../pg/prepared-statements.ts'
import type { TakenClient } from '../pg/take-client.ts'
import { ConnectionWatch, isLeftOpen } from '../sql/connection.ts'
import { connectionOf, type KnexClient, type KnexTransaction, postProcessed, reportQuery } from './knex-client.ts'
import { transactionOver } from './transaction-over.ts'

/** With Knex's marks on it. */
interface KnexConnection extends PgPoolClient {
  __knex__disposed?: unknown
  __knexTxId?: unknown
}

type Callback = (error: unknown, result?: PgResult) => void

/**
 * The pool of a Knex instance on Postgres, whose connections are clients of `pg`.
 *
 * The kit sends its statements to these connections directly. This bypasses `postProcessResponse` and keeps the command tags,
 * which Knex drops. Nothing is prepared, so any pooler may sit in between.
 */
export function knexPostgresSource<Transaction extends KnexTransaction>(
  knex: KnexClient<Transaction>,
): PgSource<PgPoolClient, Transaction, KnexTransaction> {
  return {
    name: 'knex',
    prepared: new PreparedStatements(false),
    async take() {
      for (;;) {
        const taken = watched(knex, await knex.client.acquireConnection())
        if (!isLeftOpen(taken.client)) return taken
        taken.giveBack(true)
      }
    },
    hand: (guarded) => transactionOver(knex, (own) => connectionForKnex(guarded, own)),
    within: async (transaction) => (await connectionOf(transaction)) as PgStatements,
    callersRows: (rows) => postProcessed(knex, rows),
    onSend({ text, values }) {
      if (values !== undefined) reportQuery(knex, { sql: text, bindings: values })
    },
  }
}

function watched(knex: KnexClient, connection: KnexConnection): TakenClient<KnexConnection> {
  const watch = new ConnectionWatch(connection)
  const giveBack = (drop: boolean) => {
    watch.end()
    if (drop) {
      watch.hangUp()
      // Knex looks at it before it lends the connection again.
      connection.__knex__disposed ??= watch.lost ?? new Error('dropped: a statement or transaction on it was not ended')
    }
    delete connection.__knexTxId
    knex.client.releaseConnection(connection)
  }
  return { client: connection, watch, giveBack }
}

function connectionForKnex(guarded: PgPoolClient, own: (sql: string) => boolean): object {
  const query = (query: PgQuery, callback: Callback) => {
    if (own(query.text)) return callback(null, { rows: [], command: '' })
    return Reflect.apply(guarded.query as (query: PgQuery, callback: Callback) => void, guarded, [query, callback])
  }
  return new Proxy(guarded, {
    get: (target, name) => (name === 'query' ? query : Reflect.get(target, name, target)),
  })
}
