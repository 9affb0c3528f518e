import { StoreError } from '../../errors.ts'
import type { Row, Statement } from '../../sql/database.ts'
import type { Dialect } from '../../sql/dialect.ts'
import { quoted } from '../../sql/names.ts'
import type { Versioned } from '../versioned-store.ts'

export interface VersionedTableOptions<Value> {
  readonly table: string
  /** @defaultValue 'id' */
  readonly idColumn?: string
  /** A column of whole numbers that counts the writes. @defaultValue 'version' */
  readonly versionColumn?: string
  /** Makes the value of a row, which comes without its version. @defaultValue the row as it is */
  readonly fromRow?: (row: Row) => Value
  /** Makes the columns to be written of a value; the id may be among them, unchanged. @defaultValue the value as it is */
  readonly toRow?: (value: Value) => Row
}

/** The statements on a table with a version column, the same for every client. */
export class VersionedRows<Value extends object, Id> {
  readonly #table: string
  readonly #id: string
  readonly #version: string
  readonly #idColumn: string
  readonly #versionColumn: string
  readonly #fromRow: (row: Row) => Value
  readonly #toRow: (value: Value) => Row
  readonly #read: string
  readonly #lock: string
  readonly #updates = new Map<string, string>()

  constructor(options: VersionedTableOptions<Value>, dialect: Dialect) {
    const { table, idColumn = 'id', versionColumn = 'version' } = options
    this.#table = quoted('table', table)
    this.#id = quoted('idColumn', idColumn)
    this.#version = quoted('versionColumn', versionColumn)
    this.#idColumn = idColumn
    this.#versionColumn = versionColumn
    this.#fromRow = options.fromRow ?? ((row) => row as Value)
    this.#toRow = options.toRow ?? ((value) => value as unknown as Row)
    this.#read = `SELECT * FROM ${this.#table} WHERE ${this.#id} = ?`
    this.#lock = dialect.lockRow(this.#table, this.#id, this.#version)
  }

  read(id: Id, lock = false): Statement {
    return { sql: lock ? this.#lock : this.#read, bindings: [id] }
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

  update(id: Id, expectedVersion: number, value: Value): Statement {
    const { [this.#idColumn]: newId, ...columns } = this.#toRow(value)
    if (newId !== undefined && newId !== id && String(newId) !== String(id)) {
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
