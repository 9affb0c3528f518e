import { quoteOf } from '../../knex/identifiers.ts'
import type { KnexClient, KnexTransaction } from '../../knex/knex-client.ts'
import { knexDatabase } from '../../knex/knex-database.ts'
import type { Environment } from '../../time/clock.ts'
import type { TransactableVersionedStore } from '../versioned-store.ts'
import { sqlVersionedStore } from './sql.ts'
import type {
  CompositeId,
  ComputedVersion,
  CountedVersion,
  IdColumns,
  OneIdColumn,
  SingleId,
  VersionedTableOptions,
} from './versioned-table-options.ts'

export interface KnexVersionedStoreOptions<Value> extends VersionedTableOptions<Value> {
  readonly knex: KnexClient
  /**
   * Longest time in ms, integer >= 1, that a command may take on Postgres, including the wait for a row that another transaction
   * has written. On both databases also the longest wait for a connection. @defaultValue 5_000
   */
  readonly commandMs?: number
  readonly environment?: Environment
}

/**
 * The rows of a table, each with a version: a write asks for the one that was read, in its `WHERE`.
 *
 * A row that is inserted again after a deletion must not begin at a version that it had before, such as 1; any but
 * `version: 'column'` sees to that by itself.
 *
 * `within(transaction)` gives the same rows through the caller's transaction. On SQLite a transaction that has written
 * has the file to itself, so that nothing conflicts inside it. On Postgres `bigint` and `numeric` columns arrive as
 * strings: `fromRow` makes numbers of them.
 *
 * @throws TypeError, RangeError for a client or options that cannot serve.
 * @example
 * const accounts = knexVersionedStore<Account>({ knex, table: 'accounts' })
 */
export function knexVersionedStore<Value extends object = Record<string, unknown>, Id extends SingleId = number>(
  options: KnexVersionedStoreOptions<Value> & CountedVersion & OneIdColumn,
): TransactableVersionedStore<Id, Value, number, KnexTransaction>
export function knexVersionedStore<Value extends object = Record<string, unknown>, Id extends SingleId = number>(
  options: KnexVersionedStoreOptions<Value> & ComputedVersion & OneIdColumn,
): TransactableVersionedStore<Id, Value, string, KnexTransaction>
export function knexVersionedStore<
  Value extends object = Record<string, unknown>,
  Id extends CompositeId = CompositeId,
>(
  options: KnexVersionedStoreOptions<Value> & CountedVersion & IdColumns<Id>,
): TransactableVersionedStore<Id, Value, number, KnexTransaction>
export function knexVersionedStore<
  Value extends object = Record<string, unknown>,
  Id extends CompositeId = CompositeId,
>(
  options: KnexVersionedStoreOptions<Value> & ComputedVersion & IdColumns<Id>,
): TransactableVersionedStore<Id, Value, string, KnexTransaction>
export function knexVersionedStore<Value extends object, Id>(
  options: KnexVersionedStoreOptions<Value>,
): TransactableVersionedStore<Id, Value, never, KnexTransaction> {
  const { knex, commandMs = 5_000, environment } = options
  return sqlVersionedStore(knexDatabase(knex, { commandMs, environment }), options, quoteOf(knex))
}
