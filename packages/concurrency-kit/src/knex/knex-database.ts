import { PgDatabase, type PgDatabaseOptions } from '../pg/pg-database.ts'
import type { Database } from '../sql/database.ts'
import { dialectOf, type KnexClient, type KnexTransaction } from './knex-client.ts'
import { knexPostgresSource } from './knex-postgres.ts'
import { SqliteDatabase } from './sqlite-database.ts'

/**
 * The database behind the caller's Knex instance.
 *
 * @throws TypeError, RangeError for a client or options that cannot serve.
 */
export function knexDatabase<Transaction extends KnexTransaction>(
  knex: KnexClient<Transaction>,
  options: PgDatabaseOptions,
): Database<Transaction, KnexTransaction> {
  const dialect = dialectOf(knex)
  if (knex.isTransaction === true)
    throw new TypeError(
      'knex must be a Knex instance, but is a Knex transaction: a store begins and ends transactions of its own',
    )
  if (dialect.name === 'postgres') return new PgDatabase(knexPostgresSource(knex), options)
  if (options.isolationLevel !== undefined)
    throw new TypeError('isolationLevel is for Postgres: SQLite has one writer at a time')
  return new SqliteDatabase(knex, options)
}
