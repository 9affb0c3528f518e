import { expectClient } from '../../client-kinds.ts'
import { objectWith } from '../../options.ts'
import type { PgPool, PgPoolClient, PgStatements } from '../../pg/pg-client.ts'
import { PgDatabase } from '../../pg/pg-database.ts'
import { pgSource } from '../../pg/pg-source.ts'
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

export interface PgVersionedStoreOptions<Value> extends VersionedTableOptions<Value> {
  /** The caller's pool of `pg`; with a listener for `error`, or a connection that breaks while idle ends the process. */
  readonly pool: PgPool
  /**
   * Longest time in ms, integer >= 1, that a command may take, waiting for a row that another transaction has written
   * included, and for a connection to be free. @defaultValue 5_000
   */
  readonly commandMs?: number
  readonly environment?: Environment
}

/**
 * The rows of a table, each with a version, on Postgres through a pool of `pg`: a write asks for the one that was read, in its
 * `WHERE`.
 *
 * A row that is inserted again after a deletion must not begin at a version that it had before, such as 1; any but
 * `version: 'column'` sees to that by itself.
 *
 * `within(client)` gives the same rows through the transaction that the caller has begun on `client`. `pg` gives `bigint` and
 * `numeric` columns as strings: `fromRow` makes numbers of them. Statements are prepared once a connection.
 *
 * @throws TypeError, RangeError for a pool or options that cannot serve.
 * @example
 * const accounts = pgVersionedStore<Account>({ pool, table: 'accounts' })
 */
export function pgVersionedStore<Value extends object = Record<string, unknown>, Id extends SingleId = number>(
  options: PgVersionedStoreOptions<Value> & CountedVersion & OneIdColumn,
): TransactableVersionedStore<Id, Value, number, PgStatements>
export function pgVersionedStore<Value extends object = Record<string, unknown>, Id extends SingleId = number>(
  options: PgVersionedStoreOptions<Value> & ComputedVersion & OneIdColumn,
): TransactableVersionedStore<Id, Value, string, PgStatements>
export function pgVersionedStore<Value extends object = Record<string, unknown>, Id extends CompositeId = CompositeId>(
  options: PgVersionedStoreOptions<Value> & CountedVersion & IdColumns<Id>,
): TransactableVersionedStore<Id, Value, number, PgStatements>
export function pgVersionedStore<Value extends object = Record<string, unknown>, Id extends CompositeId = CompositeId>(
  options: PgVersionedStoreOptions<Value> & ComputedVersion & IdColumns<Id>,
): TransactableVersionedStore<Id, Value, string, PgStatements>
export function pgVersionedStore<Value extends object, Id>(
  options: PgVersionedStoreOptions<Value>,
): TransactableVersionedStore<Id, Value, never, PgStatements> {
  const { pool, commandMs = 5_000, environment } = options
  expectClient('pool', 'a pg.Pool', pool)
  objectWith('pool', pool, ['connect'])
  return sqlVersionedStore(new PgDatabase(pgSource<PgPoolClient>(pool), { commandMs, environment }), options)
}
