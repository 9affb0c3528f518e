import type { Row, Statement } from '../../sql/database.ts'
import type { Dialect } from '../../sql/dialect.ts'
import { quoted } from '../../sql/names.ts'
import type { Versioned } from '../versioned-store.ts'
import { type RowVersion, rowVersion, type VersionKind } from './row-version.ts'

export interface VersionedTableOptions<Value> {
  readonly table: string
  /** @defaultValue 'id' */
  readonly idColumn?: string
  /**
   * What a write compares with what was read.
   *
   * `column`: a column of whole numbers, which each write counts up; other writers must count it up too.
   * `xmin`, on Postgres: which transaction wrote the row, and where it is; any write changes it, whoever makes it.
   * `content`: all columns of the row; a row that was changed and changed back counts as unchanged.
   * A time, such as `updated_at`, is none: the first read refuses it.
   *
   * @defaultValue 'column'
   */
  readonly version?: VersionKind
  /** The column of `version: 'column'`. @defaultValue 'version' */
  readonly versionColumn?: string
  /** Makes the value of a row, which comes without its version. @defaultValue the row as it is */
  readonly fromRow?: (row: Row) => Value
  /** Makes the columns to be written of a value; the id may be among them, unchanged. @defaultValue the value as it is */
  readonly toRow?: (value: Value) => Row
}

/** Narrows {@link VersionedTableOptions} to versions that are numbers. */
export interface CountedVersion {
  readonly version?: 'column'
}

/** Narrows {@link VersionedTableOptions} to versions that are text, to be compared and nothing else. */
export interface ComputedVersion {
  readonly version: 'xmin' | 'content'
}

/** The statements on a table whose rows have versions, the same for every client. */
export class VersionedRows<Value extends object, Id, Version> {
  readonly #table: string
  readonly #id: string
  readonly #idColumn: string
  readonly #version: RowVersion<Version>
  readonly #fromRow: (row: Row) => Value
  readonly #toRow: (value: Value) => Row
  readonly #read: string
  readonly #lock: string
  readonly #updates = new Map<string, string>()

  constructor(options: VersionedTableOptions<Value>, dialect: Dialect) {
    const { table, idColumn = 'id' } = options
    this.#table = quoted('table', table)
    this.#id = quoted('idColumn', idColumn)
    this.#idColumn = idColumn
    this.#version = rowVersion(options, dialect) as RowVersion<never> as RowVersion<Version>
    this.#fromRow = options.fromRow ?? ((row) => row as Value)
    this.#toRow = options.toRow ?? ((value) => value as unknown as Row)
    const { selected, column } = this.#version
    this.#read = `SELECT ${selected} FROM ${this.#table} WHERE ${this.#id} = ?`
    const lockedBy = column === undefined ? this.#id : quoted('versionColumn', column)
    this.#lock = dialect.lockRow(this.#table, this.#id, lockedBy, selected)
  }

  read(id: Id, lock = false): Statement {
    return { sql: lock ? this.#lock : this.#read, bindings: [id], callersRows: true }
  }

  versioned(row: Row): Versioned<Value, Version> {
    const { version, columns } = this.#version.of(row)
    return { value: this.#fromRow(columns), version }
  }

  update(id: Id, expectedVersion: Version, value: Value): Statement {
    const { [this.#idColumn]: newId, ...columns } = this.#toRow(value)
    if (newId !== undefined && newId !== id && String(newId) !== String(id)) {
      throw new TypeError(`change must not change ${this.#idColumn}, but made it ${String(newId)} of ${String(id)}`)
    }
    const names = Object.keys(columns)
    const { column } = this.#version
    if (column !== undefined && names.includes(column))
      throw new TypeError(`change must not set ${column}: it counts by itself`)
    const expected = this.#version.is(expectedVersion)
    return {
      sql: this.#updateOf(names, expected.sql),
      bindings: [...Object.values(columns), id, ...expected.bindings],
      callersRows: true,
    }
  }

  #updateOf(names: readonly string[], isExpected: string): string {
    const key = `${names.join()} ${isExpected}`
    const known = this.#updates.get(key)
    if (known !== undefined) return known
    const { column, selected } = this.#version
    const set = names.map((name) => `${quoted('a column of the new value', name)} = ?`)
    if (column !== undefined) {
      const name = quoted('versionColumn', column)
      set.push(`${name} = ${name} + 1`)
    }
    // A value without columns is a write all the same.
    if (set.length === 0) set.push(`${this.#id} = ${this.#id}`)
    const sql = `UPDATE ${this.#table} SET ${set.join(', ')} WHERE ${this.#id} = ? AND ${isExpected} RETURNING ${selected}`
    this.#updates.set(key, sql)
    return sql
  }
}
