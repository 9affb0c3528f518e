import { objectWith, shown } from '../options.ts'
import type { Row } from '../sql/database.ts'
import type { Dialect } from '../sql/dialect.ts'
import { postgres } from '../sql/postgres.ts'
import { sqlite } from '../sql/sqlite.ts'

/** What the stores use of a Knex instance or transaction to send a statement. */
export interface KnexStatements {
  // biome-ignore lint/suspicious/noExplicitAny: Knex types what a raw statement gives back, and takes, as any
  raw(sql: string, bindings: readonly any[]): PromiseLike<any>
}

/** What the stores use of a Knex transaction. */
export interface KnexTransaction extends KnexStatements {
  // biome-ignore lint/suspicious/noExplicitAny: as Knex types it
  readonly client: any
  readonly executionPromise: Promise<unknown>
  isCompleted(): boolean
  commit(): PromiseLike<unknown>
  rollback(): PromiseLike<unknown>
  on(event: 'query-error', listener: (error: unknown) => void): unknown
}

/** What the stores use of a Knex instance; the caller's, never closed and never configured here. */
export interface KnexClient<Transaction extends KnexTransaction = KnexTransaction> extends KnexStatements {
  // biome-ignore lint/suspicious/noExplicitAny: as Knex types it
  readonly client: any
  // biome-ignore lint/suspicious/noExplicitAny: of a type that differs between versions of Knex
  transactionProvider(config?: any): () => Promise<Transaction>
}

/** The caller's own type of transaction, as its Knex instance gives it. */
export type TransactionOf<Client> = Client extends {
  transactionProvider(): () => Promise<infer Transaction extends KnexTransaction>
}
  ? Transaction
  : never

/**
 * The dialect of the database behind `knex`.
 *
 * @throws TypeError not a Knex instance of a database that the stores know.
 */
export function dialectOf(knex: KnexClient): Dialect {
  if (typeof knex !== 'function') objectWith('knex', knex, [])
  for (const method of ['raw', 'transactionProvider']) {
    if (typeof Reflect.get(knex, method) !== 'function')
      throw new TypeError(`knex must be a Knex instance, but is ${shown(knex)}`)
  }
  const driver: unknown = knex.client?.driverName
  if (driver === 'better-sqlite3') return sqlite
  if (driver === 'pg') return postgres
  throw new TypeError(`knex must use the client better-sqlite3 or pg, but uses ${shown(driver)}`)
}

/** better-sqlite3 gives the rows themselves, pg what is around them too. */
export async function rowsOf(client: KnexStatements, sql: string, bindings: readonly unknown[]): Promise<Row[]> {
  const answer: unknown = await client.raw(sql, bindings)
  return (Array.isArray(answer) ? answer : (answer as { rows: unknown[] }).rows) as Row[]
}
