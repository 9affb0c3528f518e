import type { Row } from '../../sql/database.ts'
import type { VersionKind } from './row-version.ts'

export interface VersionedTableOptions<Value> {
  /**
   * A plain name, or two with a dot between: a schema's, on SQLite that of an attached file, and the table's. A view is refused by the
   * first call: a trigger of its own may do something else with a write than it says.
   */
  readonly table: string
  /** @defaultValue 'id' */
  readonly idColumn?: string
  /** Instead of `idColumn`, all columns of a key of several: ids are objects with these properties. */
  readonly idColumns?: readonly string[]
  /**
   * What a write compares with what was read.
   *
   * `column`: a column of whole numbers, which each write counts up; other writers must count it up too.
   * `xmin`, on Postgres: which transaction wrote the row, and where it is; any write changes it, whoever makes it.
   * `content`: all columns of the row; a row that was changed and changed back counts as unchanged.
   * A time, such as `updated_at`, is none, nor is a column of floating point: the first call refuses both.
   *
   * @defaultValue 'column'
   */
  readonly version?: VersionKind
  /** The column of `version: 'column'`. @defaultValue 'version' */
  readonly versionColumn?: string
  /** Makes the value of a row, which comes without its version. @defaultValue the row as it is */
  readonly fromRow?: (row: Row) => Value
  /**
   * Makes the columns of a value; called with the value that was read as well: what is equal in both is not written. The id may
   * be among them, unchanged.
   *
   * @defaultValue the value as it is
   */
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

/** Narrows {@link VersionedTableOptions} to ids that are the value of one column. */
export interface OneIdColumn {
  readonly idColumns?: never
}

/** Narrows {@link VersionedTableOptions} to ids that are objects with these columns. */
export interface IdColumns<Id> {
  readonly idColumn?: never
  readonly idColumns: readonly (keyof Id & string)[]
}

/** The id of a row by one column. */
export type SingleId = string | number | bigint

/** The id of a row by several columns, such as `{ tenant_id: 1, id: 7 }`. */
export type CompositeId = Readonly<Record<string, SingleId>>
