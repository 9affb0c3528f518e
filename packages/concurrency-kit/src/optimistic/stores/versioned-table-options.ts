import type { Row } from '../../sql/database.ts'
import type { VersionKind } from './row-version.ts'

export interface VersionedTableOptions<Value> {
  /**
   * A plain name, or a schema and a name separated by a dot. On SQLite the schema is the name of an attached database file. The first
   * call rejects a view, because its triggers may store something other than the write reports.
   */
  readonly table: string
  /** @defaultValue 'id' */
  readonly idColumn?: string
  /** Instead of `idColumn`: all columns of a composite key. Ids are then objects with these properties. */
  readonly idColumns?: readonly string[]
  /**
   * What a write compares with the row that was read.
   *
   * `column`: a column of whole numbers that each write increments; other writers must increment it too.
   * `xmin`, on Postgres: the transaction that wrote the row, and the row's position; every write by any writer changes it.
   * `content`: all columns of the row; a row that was changed and changed back counts as unchanged.
   *
   * A time such as `updated_at` or a floating-point column cannot be a version: the first call rejects both.
   *
   * @defaultValue 'column'
   */
  readonly version?: VersionKind
  /** The column of `version: 'column'`. @defaultValue 'version' */
  readonly versionColumn?: string
  /** Converts a row, without its version, to a value. @defaultValue the row as it is */
  readonly fromRow?: (row: Row) => Value
  /**
   * Converts a value to the columns of its row. Also called with the value that was read: columns that are equal in both results are
   * not written. The result may include the id, unchanged.
   *
   * @defaultValue the value as it is
   */
  readonly toRow?: (value: Value) => Row
}

/** Narrows {@link VersionedTableOptions} to versions that are numbers. */
export interface CountedVersion {
  readonly version?: 'column'
}

/** Narrows {@link VersionedTableOptions} to versions that are opaque text. */
export interface ComputedVersion {
  readonly version: 'xmin' | 'content'
}

/** Narrows {@link VersionedTableOptions} to ids that are the value of one column. */
export interface OneIdColumn {
  readonly idColumns?: never
}

/** Narrows {@link VersionedTableOptions} to ids that are objects with these columns as properties. */
export interface IdColumns<Id> {
  readonly idColumn?: never
  readonly idColumns: readonly (keyof Id & string)[]
}

/** An id in one column. */
export type SingleId = string | number | bigint

/** An id in several columns, such as `{ tenant_id: 1, id: 7 }`. */
export type CompositeId = Readonly<Record<string, SingleId>>
