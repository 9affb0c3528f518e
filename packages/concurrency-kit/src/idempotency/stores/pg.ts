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
   * Their handlers are NOT isolated from each other: they run side by side in one transaction, and see each other's effects. Use
   * it only where each handler sends a few plain statements on rows that no other handler reads. Savepoints, `SET LOCAL`, row
   * locks, advisory locks, SERIALIZABLE, `NOTIFY`, temporary tables and `lastval()` of one handler reach the others, and a
   * handler that waits for a row holds the others up. If one fails, or takes longer than 500 ms, all are rolled back, and
   * the others run again alone. @defaultValue false
   */
  readonly groupCommit?: boolean
  readonly environment?: Environment
}

/**
 * Idempotency records that commit together with the effects, on Postgres through a pool of `pg`: the fast way there.
 *
 * One transaction an attempt. The claim is its first statement: a rival in another process waits for the key, no longer
 * than its `waitMs`, whatever the session's `statement_timeout`. The result is its last, and nothing is committed unless that
 * finds the claim. Statements are prepared once a connection; if connections lose them (`DISCARD ALL`, a pooler of
 * transactions), they are prepared anew, and after three losses no more.
 *
 * Its table is made by what `tableStatements({ idempotency: true }, 'postgres')` of `concurrency-kit/knex` gives, in a
 * migration of the application's own, or by `createTables(knex, { idempotency: true })`.
 *
 * The handler's `transaction` is the pool's client for that time: it refuses to begin or end a transaction, and every statement once
 * the handler has settled. The store's own statements are immune to the client's type parsers.
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
