import { expectClient } from '../../client-kinds.ts'
import { objectWith, oneOf } from '../../options.ts'
import type { PgClientOf, PgPool, PgPoolClient } from '../../pg/pg-client.ts'
import { PgDatabase } from '../../pg/pg-database.ts'
import { pgSource } from '../../pg/pg-source.ts'
import type { IsolationLevel } from '../../sql/isolation-level.ts'
import type { Environment } from '../../time/clock.ts'
import type { TransactionalIdempotencyStore } from '../idempotency-store.ts'
import type { RecordTableOptions } from '../record-table.ts'
import { SqlIdempotencyStore } from './sql.ts'

export interface PgIdempotencyStoreOptions<Pool> extends RecordTableOptions {
  /**
   * The caller's pool of `pg`. It must have a listener for `error`, or a connection that breaks while idle ends the process. With
   * `pipeline: true` (pg 8.22 and later) an attempt takes fewer round trips.
   */
  readonly pool: Pool
  /** Of every attempt's transaction. @defaultValue the database's own */
  readonly isolationLevel?: IsolationLevel
  /**
   * Longest time in ms, integer >= 1, for each of the store's own commands, such as the COMMIT, and for a connection to
   * be free; the claim has the caller's `waitMs` besides. The handler's own statements are the handler's to bound.
   * @defaultValue 2_000
   */
  readonly commandMs?: number
  /**
   * Lets attempts of this process that are ready at the same time share one transaction and one COMMIT: far more of them a
   * second. Needs a pool with `pipeline: true`.
   *
   * The handlers are NOT isolated from each other: they run concurrently in one transaction and see each other's effects. Use
   * `groupCommit` only if each handler sends a few statements that are each correct on their own, such as an `INSERT` or a
   * conditional `UPDATE`. Handlers share savepoints, `SET LOCAL`, row locks, advisory locks, the isolation level, `NOTIFY`,
   * temporary tables and `lastval()`. A handler that waits for a row lock makes the others wait. If a handler fails, or takes
   * longer than 500 ms, the whole transaction is rolled back, and each attempt runs again alone. @defaultValue false
   */
  readonly groupCommit?: boolean
  readonly environment?: Environment
}

/**
 * Idempotency records that commit together with the effects, on Postgres through a pool of `pg`: the fast way there.
 *
 * Each attempt is one transaction. Its first statement is the claim: a rival in another process waits for the key for up to its
 * `waitMs`, regardless of the session's `statement_timeout`. Its last statement is the result: nothing is committed unless it
 * finds the claim. Statements are prepared once per connection. If connections lose them (`DISCARD ALL`, a transaction pooler),
 * the store prepares them again; after three losses it stops preparing.
 *
 * Its table is made by what `tableStatements({ idempotency: true }, 'postgres')` of `concurrency-kit/knex` gives, in a
 * migration of the application's own, or by `createTables(knex, { idempotency: true })`.
 *
 * The handler's `transaction` is a client of the pool. It cannot begin or end a transaction, and refuses every statement after the
 * handler has settled. The client's type parsers do not affect the store's own statements.
 *
 * @throws TypeError, RangeError for a pool or options that cannot serve.
 * @example
 * const records = pgIdempotencyStore({ pool })
 */
export function pgIdempotencyStore<Pool extends PgPool>(
  options: PgIdempotencyStoreOptions<Pool>,
): TransactionalIdempotencyStore<PgClientOf<Pool>> {
  const { groupCommit = false } = options
  oneOf('groupCommit', groupCommit, [true, false])
  expectClient('pool', 'a pg.Pool', options.pool)
  objectWith('pool', options.pool, ['connect'])
  const database = new PgDatabase(pgSource<PgPoolClient>(options.pool), options)
  return new SqlIdempotencyStore(
    database,
    options,
    groupCommit,
  ) as TransactionalIdempotencyStore<unknown> as TransactionalIdempotencyStore<PgClientOf<Pool>>
}
