import { isStoreError, StoreError } from '../errors.ts'
import { objectWith, shown } from '../options.ts'

type Row = Record<string, unknown>

/** What the stores use of a Knex instance or transaction to send a statement. */
export interface KnexStatements {
  // biome-ignore lint/suspicious/noExplicitAny: Knex types what a raw statement gives back, and takes, as any
  raw(sql: string, bindings: readonly any[]): PromiseLike<any>
}

/** What the stores use of a Knex transaction. */
export interface KnexTransaction extends KnexStatements {
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
  transactionProvider(): () => Promise<Transaction>
}

/** The caller's own type of transaction, as its Knex instance gives it. */
export type TransactionOf<Client> = Client extends { transactionProvider(): () => Promise<infer Transaction> }
  ? Transaction
  : never

/** @throws TypeError not a Knex instance of a database that the stores know. */
export function checkClient(knex: KnexClient): void {
  if (typeof knex !== 'function') objectWith('knex', knex, [])
  for (const method of ['raw', 'transactionProvider']) {
    if (typeof Reflect.get(knex, method) !== 'function')
      throw new TypeError(`knex must be a Knex instance, but is ${shown(knex)}`)
  }
  const driver: unknown = knex.client?.driverName
  if (driver !== 'better-sqlite3') {
    throw new TypeError(`knex must use the client better-sqlite3, but uses ${shown(driver)}: no other is supported yet`)
  }
}

export async function rowsOf(client: KnexStatements, sql: string, bindings: readonly unknown[]): Promise<Row[]> {
  return (await client.raw(sql, bindings)) as Row[]
}

/** Another process writes the file, or has written it since this transaction read: nothing was done. */
export function isBusy(error: unknown): boolean {
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined
  return typeof code === 'string' && /^SQLITE_(BUSY|LOCKED)/.test(code)
}

export function asStoreError(what: string, error: unknown): StoreError {
  return isStoreError(error) ? error : new StoreError(`${what} failed`, { cause: error, transient: isBusy(error) })
}

/** A name from the options, quoted; anything but a plain identifier is refused. */
export function quoted(option: string, name: unknown): string {
  if (typeof name !== 'string' || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    throw new TypeError(`${option} must be a plain SQL name, but is ${shown(name)}`)
  }
  return `"${name}"`
}
