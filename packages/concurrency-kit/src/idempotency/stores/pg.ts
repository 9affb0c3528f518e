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
   * second, where handlers only send a few statements through their `transaction`. They run side by side in it, and see
   * each other's effects. Where one of them fails, or takes longer than 500 ms, all are rolled back, and the others run
   * again alone. Needs a pool with `pipeline: true`. @defaultValue false
   */
  readonly groupCommit?: boolean
  readonly environment?: Environment
}

/**
 * Idempotency records that commit together with the effects, on Postgres through a pool of `pg`: the fast way there.
 *
 * One transaction an attempt. The claim is its first statement: a rival in another process waits for the key, no longer
 * than its `waitMs`. The result is its last, and nothing is committed unless that finds the claim. Statements are
 * prepared once a connection; a pooler of transactions in between must let prepared statements through.
 *
 * Its table is made by what `tableStatements({ idempotency: true }, 'postgres')` of `concurrency-kit/knex` gives, in a
 * migration of the application's own, or by `createTables(knex, { idempotency: true })`.
 *
 * The handler's `transaction` is the pool's client for that time: it refuses to end the transaction, and is of no use afterwards.
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
