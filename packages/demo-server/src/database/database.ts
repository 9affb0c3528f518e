import type { TransactionalIdempotencyStore } from 'concurrency-kit'
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import type { Accounts } from './accounts.ts'
import { openPostgres } from './postgres.ts'
import { openSqlite } from './sqlite.ts'

/** What the server needs of a database engine; `Transaction` is the engine's client's. */
export interface Database<Transaction> {
  readonly records: TransactionalIdempotencyStore<Transaction>
  readonly accounts: Accounts<Transaction>
  /** Makes the tables and the users 1 to `users`, where they are missing. Safe while other processes do the same. */
  prepareSchema(users: number): Promise<void>
  /** Rejects when the database does not answer. */
  ready(): Promise<void>
  close(): Promise<void>
}

/** The database of the configuration; whose transactions they are is known to its engine alone. */
export function openDatabase(
  { database, poolSize, switches }: Config,
  log: Logger,
): Promise<Database<unknown>> | Database<unknown> {
  return database.engine === 'sqlite'
    ? openSqlite(database.file, switches)
    : openPostgres({ url: database.url, poolSize }, switches, log)
}
