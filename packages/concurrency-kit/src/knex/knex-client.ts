import { expectClient } from '../client-kinds.ts'
import { objectWith, shown } from '../options.ts'
import type { Row, Statement } from '../sql/database.ts'
import type { Dialect } from '../sql/dialect.ts'
import { postgres } from '../sql/postgres.ts'
import { sqlite } from '../sql/sqlite.ts'

/** What the stores use of a Knex transaction. */
export interface KnexTransaction {
  // biome-ignore lint/suspicious/noExplicitAny: as Knex types it
  readonly client: any
  readonly executionPromise: Promise<unknown>
  isCompleted(): boolean
  commit(): PromiseLike<unknown>
  rollback(): PromiseLike<unknown>
  on(event: 'query-error', listener: (error: unknown) => void): unknown
  // biome-ignore lint/suspicious/noExplicitAny: see {@link KnexClient}
  raw(sql: string, bindings: readonly any[]): PromiseLike<any>
}

/** What the stores use of a Knex instance; the caller's, never closed and never configured here. */
export interface KnexClient<Transaction extends KnexTransaction = KnexTransaction> {
  // biome-ignore lint/suspicious/noExplicitAny: as Knex types it
  readonly client: any
  /** True for a transaction, which has all methods of an instance. */
  readonly isTransaction?: boolean | undefined
  // biome-ignore lint/suspicious/noExplicitAny: Knex types the bindings and the result of a raw statement as any
  raw(sql: string, bindings: readonly any[]): PromiseLike<any>
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
  expectClient('knex', 'a Knex instance', knex)
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

/** Applies the instance's `postProcessResponse`, as its query builder does. */
export function postProcessed({ client }: KnexClient, rows: Row[]): Row[] {
  return client.postProcessResponse(rows)
}

/** Emits Knex's `query` event for a statement that the kit sends to the connection itself, so that query loggers see it. */
export function reportQuery({ client }: KnexClient, { sql, bindings }: Statement): void {
  client.emit('query', { method: 'raw', sql, bindings })
}

/**
 * The connection of an open transaction: the caller's own, or a handler's.
 *
 * @throws TypeError not a Knex transaction, or one that has ended.
 */
export async function connectionOf(transaction: KnexTransaction): Promise<object> {
  if (typeof transaction?.isCompleted !== 'function')
    throw new TypeError(`transaction must be a Knex transaction, but is ${shown(transaction)}`)
  if (transaction.isCompleted()) throw new TypeError('the transaction has ended and can no longer be used')
  return transaction.client.acquireConnection()
}
