import { types } from 'node:util'
import { StoreError } from '../../errors.ts'
import { oneOf, shown } from '../../options.ts'
import type { Row } from '../../sql/database.ts'
import type { Dialect } from '../../sql/dialect.ts'
import { quoted } from '../../sql/names.ts'
import { sqliteContentVersion } from './sqlite-content-version.ts'

/** What tells one state of a row from the next. */
export type VersionKind = 'column' | 'xmin' | 'content'

/** What an UPDATE asks of the row in its WHERE. */
interface Condition {
  readonly sql: string
  readonly bindings: readonly unknown[]
}

/** How the statements on a table read, ask for and set the version of a row. */
export interface RowVersion<Version> {
  /** What is selected, and returned by a write. */
  readonly selected: string
  /** The column that the store counts up, and `change` must not set. */
  readonly column: string | undefined
  of(row: Row): { readonly version: Version; readonly columns: Row }
  is(expected: Version): Condition
}

interface VersionOptions {
  readonly table: string
  readonly version?: VersionKind
  readonly versionColumn?: string
}

/** @throws TypeError for a kind that the database does not have, or a column that is not asked for. */
export function rowVersion(options: VersionOptions, dialect: Dialect): RowVersion<number> | RowVersion<string> {
  const { table, version = 'column', versionColumn } = options
  oneOf('version', version, ['column', 'xmin', 'content'])
  if (version === 'column') return columnVersion(table, versionColumn ?? 'version')
  if (versionColumn !== undefined)
    throw new TypeError(`versionColumn is for version: 'column', but version is ${shown(version)}`)
  const { [version]: expression } = dialect.versions
  if (expression !== undefined) return expressionVersion(expression(quoted('table', table)))
  if (version === 'content') return sqliteContentVersion
  throw new TypeError("version: 'xmin' is for Postgres: SQLite has no such column")
}

/** A column of whole numbers, which each write counts up. */
function columnVersion(table: string, column: string): RowVersion<number> {
  const sql = `${quoted('versionColumn', column)} = ?`
  return {
    selected: '*',
    column,
    of: ({ [column]: stored, ...columns }) => ({
      version: wholeVersion(stored, `column ${shown(column)} of ${shown(table)}`),
      columns,
    }),
    is: (expected) => ({ sql, bindings: [expected] }),
  }
}

function wholeVersion(stored: unknown, where: string): number {
  if (types.isDate(stored) || (typeof stored === 'string' && /^\d+(-\d\d-|:\d\d:)\d\d/.test(stored))) {
    throw new StoreError(
      `${where} is a time, which is no version: a Date loses its microseconds, and two writes in one tick have the same; take a column of whole numbers, version: 'content', or on Postgres version: 'xmin'`,
    )
  }
  const version = ['number', 'bigint', 'string'].includes(typeof stored) && stored !== '' ? Number(stored) : Number.NaN
  if (Number.isSafeInteger(version)) return version
  throw new StoreError(`${where} must be a whole number below 2^53, but is ${shown(stored)}`)
}

/** The alias of a version that the database computes. */
const COMPUTED = 'concurrency_kit_version'

/** Text that the database computes of the row as it is. */
function expressionVersion(expression: string): RowVersion<string> {
  const sql = `${expression} = ?`
  return {
    selected: `*, ${expression} AS ${COMPUTED}`,
    column: undefined,
    of: ({ [COMPUTED]: version, ...columns }) => ({ version: String(version), columns }),
    is: (expected) => ({ sql, bindings: [expected] }),
  }
}
