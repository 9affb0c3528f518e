import type { KnexClient, TransactionOf } from '../../knex/knex-client.ts'
import { knexDatabase } from '../../knex/knex-database.ts'
import { usePoolFor } from '../../knex/lease-tables.ts'
import type { IsolationLevel } from '../../sql/isolation-level.ts'
import type { Environment } from '../../time/clock.ts'
import type { TransactionalIdempotencyStore } from '../idempotency-store.ts'
import type { RecordTableOptions } from '../record-table.ts'
import { SqlIdempotencyStore } from './sql.ts'

export interface KnexIdempotencyStoreOptions<Client> extends RecordTableOptions {
  /** On SQLite: one connection per file and process, opened with a busy time-out of 0. */
  readonly knex: Client
  /** Of every attempt's transaction, on Postgres. @defaultValue the database's own */
  readonly isolationLevel?: IsolationLevel
  /**
   * Longest time in ms, integer >= 1, for each of the store's own commands on Postgres, such as the COMMIT; the claim has
   * the caller's `waitMs` besides. The handler's own statements are the handler's to bound. On both databases it also bounds
   * the wait for a connection, unless `waitMs` is longer. @defaultValue 2_000
   */
  readonly commandMs?: number
  readonly environment?: Environment
}

/**
 * Idempotency records that commit together with the effects, in the caller's database.
 *
 * Each attempt is one transaction. Its first statement is the claim, its last the result. On Postgres a rival waits for the key
 * for up to its `waitMs`, regardless of the session's `statement_timeout`. On SQLite the transaction takes the write lock when it
 * begins; while another process writes the file, the store waits without a connection.
 *
 * The handler's `transaction` cannot begin or end a transaction, and refuses every statement after the handler has settled.
 * `postProcessResponse`, `wrapIdentifier`, `safeIntegers` and type parsers do not affect the store's own statements.
 *
 * @throws TypeError, RangeError, StoreError for a client or options that cannot serve.
 * @example
 * const records = knexIdempotencyStore({ knex })
 */
export function knexIdempotencyStore<Client extends KnexClient>(
  options: KnexIdempotencyStoreOptions<Client>,
): TransactionalIdempotencyStore<TransactionOf<Client>> {
  const knex = options.knex as unknown as KnexClient<TransactionOf<Client>>
  const store = new SqlIdempotencyStore(knexDatabase(knex, options), options)
  usePoolFor('transactions', options.knex)
  return store
}
