import { StoreError } from '../../errors.ts'
import {
  checkClient,
  type KnexClient,
  type KnexStatements,
  type KnexTransaction,
  quoted,
  rowsOf,
} from '../../knex/knex-client.ts'
import { begin } from '../../knex/transaction.ts'
import { asStoreError } from '../../sql/errors.ts'
import type { Environment } from '../../time/clock.ts'
import type {
  CompareAndSetRequest,
  CompareAndSetResult,
  ReadRequest,
  TransactableVersionedStore,
  Versioned,
  VersionedStore,
} from '../versioned-store.ts'

type Row = Record<string, unknown>

export interface KnexVersionedStoreOptions<Value> {
  readonly knex: KnexClient
  readonly table: string
  /** @defaultValue 'id' */
  readonly idColumn?: string
  /** An integer column that counts the writes. @defaultValue 'version' */
  readonly versionColumn?: string
  /** Makes the value of a row, which comes without its version. @defaultValue the row as it is */
  readonly fromRow?: (row: Row) => Value
  /** Makes the columns to be written of a value; the id may be among them, unchanged. @defaultValue the value as it is */
  readonly toRow?: (value: Value) => Row
  readonly environment?: Environment
}

/**
 * The rows of a table with a version column: each write asks for the version that was read, in its `WHERE`.
 *
 * `within(transaction)` gives the same rows through the caller's transaction. On SQLite a transaction that has written
 * has the file to itself, so that nothing conflicts inside it.
 *
 * @throws TypeError for a client or names that cannot serve.
 * @example
 * const accounts = knexVersionedStore<Account>({ knex, table: 'accounts' })
 */
export function knexVersionedStore<Value extends object = Row, Id extends string | number = number>(
  options: KnexVersionedStoreOptions<Value>,
): TransactableVersionedStore<Id, Value, number, KnexTransaction> {
  checkClient(options.knex)
  const rows = new VersionedRows<Value, Id>(options)
  const store = new KnexVersionedRows<Value, Id>(rows, options.knex, false, options.environment)
  return Object.assign(store, {
    within: (transaction: KnexTransaction): VersionedStore<Id, Value> =>
      new KnexVersionedRows<Value, Id>(rows, transaction, true, options.environment),
  })
}

/** What is the same in and out of transactions: the names, and the statements made of them. */
class VersionedRows<Value extends object, Id> {
  readonly read: string
  readonly lock: string
  readonly #table: string
  readonly #id: string
  readonly #version: string
  readonly #idColumn: string
  readonly #versionColumn: string
  readonly #fromRow: (row: Row) => Value
  readonly #toRow: (value: Value) => Row
  readonly #updates = new Map<string, string>()

  constructor(options: KnexVersionedStoreOptions<Value>) {
    const { table, idColumn = 'id', versionColumn = 'version' } = options
    this.#table = quoted('table', table)
    this.#id = quoted('idColumn', idColumn)
    this.#version = quoted('versionColumn', versionColumn)
    this.#idColumn = idColumn
    this.#versionColumn = versionColumn
    this.#fromRow = options.fromRow ?? ((row) => row as Value)
    this.#toRow = options.toRow ?? ((value) => value as unknown as Row)
    this.read = `SELECT * FROM ${this.#table} WHERE ${this.#id} = ?`
    // A write that changes nothing takes SQLite's write lock before the row is read.
    this.lock = `UPDATE ${this.#table} SET ${this.#version} = ${this.#version} WHERE ${this.#id} = ? RETURNING *`
  }

  versioned(row: Row): Versioned<Value, number> {
    const { [this.#versionColumn]: stored, ...columns } = row
    const version = Number(stored)
    if (!Number.isSafeInteger(version)) {
      throw new StoreError(
        `column ${this.#version} of ${this.#table} must be a whole number below 2^53, but is ${String(stored)}`,
      )
    }
    return { value: this.#fromRow(columns), version }
  }

  update(id: Id, expectedVersion: number, value: Value): { sql: string; bindings: unknown[] } {
    const { [this.#idColumn]: newId, ...columns } = this.#toRow(value)
    if (newId !== undefined && newId !== id) {
      throw new TypeError(`change must not change ${this.#idColumn}, but made it ${String(newId)} of ${String(id)}`)
    }
    const names = Object.keys(columns)
    if (names.includes(this.#versionColumn))
      throw new TypeError(`change must not set ${this.#versionColumn}: it counts by itself`)
    return { sql: this.#updateOf(names), bindings: [...Object.values(columns), id, expectedVersion] }
  }

  #updateOf(names: readonly string[]): string {
    const known = this.#updates.get(names.join())
    if (known !== undefined) return known
    const set = names.map((name) => `${quoted('a column of the new value', name)} = ?`)
    set.push(`${this.#version} = ${this.#version} + 1`)
    const sql = `UPDATE ${this.#table} SET ${set.join(', ')} WHERE ${this.#id} = ? AND ${this.#version} = ? RETURNING *`
    this.#updates.set(names.join(), sql)
    return sql
  }
}

class KnexVersionedRows<Value extends object, Id> implements VersionedStore<Id, Value> {
  readonly name = 'knex'
  readonly transactional: boolean
  declare readonly environment?: Environment
  readonly updateLocked?: NonNullable<VersionedStore<Id, Value>['updateLocked']>
  readonly #rows: VersionedRows<Value, Id>
  readonly #client: KnexStatements

  constructor(
    rows: VersionedRows<Value, Id>,
    client: KnexClient | KnexTransaction,
    transactional: boolean,
    environment: Environment | undefined,
  ) {
    this.#rows = rows
    this.#client = client
    this.transactional = transactional
    if (environment !== undefined) this.environment = environment
    if ('transactionProvider' in client && !transactional) {
      this.updateLocked = ({ id }, change) => this.#updateLocked(client, id, change)
    }
  }

  async read({ id }: ReadRequest<Id>): Promise<Versioned<Value, number> | undefined> {
    const [row] = await this.#ask('read', this.#client, this.#rows.read, [id])
    return row === undefined ? undefined : this.#rows.versioned(row)
  }

  async compareAndSet({
    id,
    expectedVersion,
    value,
  }: CompareAndSetRequest<Id, Value, number>): Promise<CompareAndSetResult<Value, number>> {
    return this.#compareAndSet(this.#client, id, expectedVersion, value)
  }

  async #compareAndSet(
    client: KnexStatements,
    id: Id,
    expectedVersion: number,
    value: Value,
  ): Promise<CompareAndSetResult<Value, number>> {
    const { sql, bindings } = this.#rows.update(id, expectedVersion, value)
    const [row] = await this.#ask('compareAndSet', client, sql, bindings)
    return row === undefined ? { stored: false } : { stored: true, ...this.#rows.versioned(row) }
  }

  async #updateLocked(
    knex: KnexClient,
    id: Id,
    change: (current: Versioned<Value, number>) => { readonly value: Value } | undefined,
  ): Promise<Versioned<Value, number> | undefined> {
    const owned = await begin(knex)
    try {
      const [row] = await this.#ask('lock', owned.transaction, this.#rows.lock, [id])
      const current = row && this.#rows.versioned(row)
      const next = current && change(current)
      if (current === undefined || next === undefined) {
        await owned.rollback()
        return current
      }
      const written = await this.#compareAndSet(owned.transaction, id, current.version, next.value)
      if (!written.stored) throw new StoreError(`row ${String(id)} changed under its lock`)
      await owned.commit()
      return { value: written.value, version: written.version }
    } catch (error) {
      await owned.rollback()
      throw error
    }
  }

  async #ask(verb: string, client: KnexStatements, sql: string, bindings: readonly unknown[]): Promise<Row[]> {
    try {
      return await rowsOf(client, sql, bindings)
    } catch (error) {
      throw asStoreError(`${verb} of ${this.name}`, error)
    }
  }
}
