import { StoreError } from '../../errors.ts'
import { shown, shownId } from '../../options.ts'
import type { Row, Statement } from '../../sql/database.ts'
import type { Dialect } from '../../sql/dialect.ts'
import { doubleQuotes, type Quote, quoted, quotedTable } from '../../sql/names.ts'
import type { CompareAndSetRequest, Versioned } from '../versioned-store.ts'
import { changedColumns, encoded } from './changed-columns.ts'
import { RowId } from './row-id.ts'
import { type RowVersion, rowVersion } from './row-version.ts'
import { bare, type ShapeQuestion, shapeOf, shapeStatement, type TableShape } from './table-shape.ts'
import type { VersionedTableOptions } from './versioned-table-options.ts'

/** The statements on a table whose rows have versions, the same for every client. */
export class VersionedRows<Value extends object, Id, Version> {
  readonly #table: string
  readonly #id: RowId<Id>
  readonly #version: RowVersion<Version>
  readonly #fromRow: (row: Row) => Value
  readonly #toRow: (value: Value) => Row
  readonly #dialect: Dialect
  readonly #quote: Quote
  readonly #read: string
  readonly #question: ShapeQuestion
  #shape: TableShape | undefined
  #stale = true
  readonly #columns = new Map<string, string>()
  readonly #updates = new Map<string, string>()

  constructor(options: VersionedTableOptions<Value>, dialect: Dialect, quote: Quote = doubleQuotes) {
    const table = quotedTable('table', options.table, quote)
    this.#table = table
    this.#dialect = dialect
    this.#quote = quote
    this.#id = new RowId(options, quote)
    this.#version = rowVersion(options, { table, quote }, dialect) as RowVersion<never> as RowVersion<Version>
    this.#fromRow = options.fromRow ?? ((row) => row as Value)
    this.#toRow = options.toRow ?? ((value) => value as unknown as Row)
    const { selected, column } = this.#version
    // Two rows are enough to detect a shared id.
    this.#read = `SELECT ${selected} FROM ${table} WHERE ${this.#id.sql} LIMIT 2`
    this.#question = { table: options.table, sql: table, ids: this.#id.columns, versionColumn: column }
  }

  /** The statement whose answer goes to {@link VersionedRows.know} before anything else; undefined if the shape is known. */
  unknown(): Statement | undefined {
    return this.#stale ? shapeStatement(this.#question, this.#dialect) : undefined
  }

  /** @throws StoreError for a table that cannot have versioned rows. */
  know([row]: readonly Row[]): void {
    this.#shape = shapeOf(row, this.#question)
    this.#stale = this.#shape === undefined
  }

  /** Makes the next call query the table's shape again, because it may have changed. */
  doubt(): void {
    this.#stale = true
  }

  read(id: Id, lock = false): Statement {
    const sql = lock ? this.#read + this.#dialect.lockedRead : this.#read
    return { sql, bindings: this.#id.bindings(id), callersRows: true }
  }

  /** @throws StoreError where several rows have the id. */
  found(id: Id, [row, another]: readonly Row[]): Versioned<Value, Version> | undefined {
    if (another !== undefined) {
      const columns = this.#id.columns.map((column) => shown(bare(column))).join(', ')
      throw new StoreError(
        `${columns} of ${shown(this.#question.table)} is ${shownId(id)} in several rows: nothing was written; list all columns of the key in idColumns`,
      )
    }
    return row && this.#versioned(row)
  }

  /** The value that a write has stored. @throws StoreError, or the error of `fromRow`; in both cases the row was written. */
  written(expectedVersion: Version, row: Row): Versioned<Value, Version> {
    const stored = this.#versioned(row)
    if (this.#version.column === undefined || stored.version !== expectedVersion) return stored
    throw new StoreError(
      `its version is still ${shown(expectedVersion)}, so other writers cannot detect the write: a trigger of ${shown(this.#question.table)} restores the version`,
    )
  }

  #versioned(row: Row): Versioned<Value, Version> {
    const { version, columns } = this.#version.of(row)
    return { value: this.#fromRow(columns), version }
  }

  /**
   * The UPDATE for a new value. If that has an unknown column, the shape counts as unknown afterwards.
   *
   * @throws TypeError for a new value that changes the id or the version, or that the database cannot store.
   */
  update({ id, expectedVersion, value, current }: CompareAndSetRequest<Id, Value, Version>): Statement {
    const next = this.#toRow(value)
    const before = current && this.#toRow(current)
    const set: [column: string, binding: unknown][] = []
    for (const name of changedColumns(next, before)) {
      const column = this.#columnOf(name)
      if (column === this.#version.column) throw new TypeError(`change must not set ${name}: the store increments it`)
      if (this.#id.columns.includes(column)) {
        if (before === undefined) continue
        throw new TypeError(
          `change must not change ${name}, but changed it from ${String(before[name])} to ${String(next[name])}`,
        )
      }
      set.push([column, encoded(name, next[name], this.#typeOf(column), this.#dialect)])
    }
    set.sort(([one], [other]) => (one < other ? -1 : 1))
    const expected = this.#version.is(expectedVersion)
    const ids = this.#id.bindings(id)
    return {
      sql: this.#updateOf(
        set.map(([column]) => column),
        expected.sql,
      ),
      bindings: [...set.map(([, binding]) => binding), ...ids, ...expected.bindings, ...(this.#isUnique() ? [] : ids)],
      callersRows: true,
    }
  }

  #typeOf(column: string): string | undefined {
    if (this.#shape === undefined || this.#shape.types.size === 0) return undefined
    const type = this.#shape.types.get(bare(column))
    if (type === undefined) this.doubt()
    return type
  }

  #isUnique(): boolean {
    return this.#shape?.uniqueId === true
  }

  #columnOf(name: string): string {
    const known = this.#columns.get(name)
    if (known !== undefined) return known
    const column = quoted('a column of the new value', name, this.#quote)
    this.#columns.set(name, column)
    return column
  }

  #updateOf(columns: readonly string[], isExpected: string): string {
    const key = `${columns.join()} ${isExpected} ${this.#isUnique()}`
    const known = this.#updates.get(key)
    if (known !== undefined) return known
    const { column, selected } = this.#version
    const set = columns.map((name) => `${name} = ?`)
    if (column !== undefined) set.push(`${column} = ${column} + 1`)
    // A value without changed columns is still a write.
    if (set.length === 0) set.push(`${this.#id.columns[0]} = ${this.#id.columns[0]}`)
    // Without a unique index another row may share the id by now: then no row is written.
    const alone = this.#isUnique()
      ? ''
      : ` AND (SELECT count(*) FROM (SELECT 1 FROM ${this.#table} WHERE ${this.#id.sql} LIMIT 2) AS same_id) = 1`
    const sql = `UPDATE ${this.#table} SET ${set.join(', ')} WHERE ${this.#id.sql} AND ${isExpected}${alone} RETURNING ${selected}`
    this.#updates.set(key, sql)
    return sql
  }
}
