import { types } from 'node:util'
import { StoreError } from '../../errors.ts'
import { oneOf, shown } from '../../options.ts'
import type { Row } from '../../sql/database.ts'
import type { Dialect } from '../../sql/dialect.ts'
import { type Quote, quoted } from '../../sql/names.ts'
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
  /** The column that the store increments, quoted; `change` must not set it. */
  readonly column: string | undefined
  of(row: Row): { readonly version: Version; readonly columns: Row }
  is(expected: Version): Condition
}

interface VersionOptions {
  readonly table: string
  readonly version?: VersionKind
  readonly versionColumn?: string
}

/** The quoted name of the table, and how to quote a column's name. */
export interface Names {
  readonly table: string
  readonly quote: Quote
}

/** @throws TypeError for a kind that the database does not have, or a column that is not asked for. */
export function rowVersion(
  options: VersionOptions,
  names: Names,
  dialect: Dialect,
): RowVersion<number> | RowVersion<string> {
  const { table, version = 'column', versionColumn } = options
  oneOf('version', version, ['column', 'xmin', 'content'])
  if (version === 'column') return columnVersion(table, versionColumn ?? 'version', names.quote)
  if (versionColumn !== undefined)
    throw new TypeError(`versionColumn is for version: 'column', but version is ${shown(version)}`)
  const { [version]: expression } = dialect.versions
  if (expression !== undefined) return expressionVersion(expression(names.table))
  if (version === 'content') return sqliteContentVersion(names)
  throw new TypeError("version: 'xmin' is for Postgres: SQLite has no such column")
}

/** A column of whole numbers, which each write counts up. */
function columnVersion(table: string, option: string, quote: Quote): RowVersion<number> {
  const column = quoted('versionColumn', option, quote)
  const is = `${column} = ?`
  const where = `column ${shown(option)} of ${shown(table)}`
  let name = option
  return {
    selected: '*',
    column,
    of(row) {
      if (!Object.hasOwn(row, name)) name = nameIn(row, option)
      const { [name]: stored, ...columns } = row
      return { version: wholeVersion(stored, where), columns }
    },
    is: (expected) => ({ sql: is, bindings: [belowTheLast(expected, where)] }),
  }
}

/** The client's name for a column: it may map names, such as `row_version` to `rowVersion`. */
function nameIn(row: Row, option: string): string {
  const letters = (name: string) => name.replaceAll('_', '').toLowerCase()
  return Object.keys(row).find((name) => letters(name) === letters(option)) ?? option
}

/** A client's parsers may return a number as text, as a BigInt, or as a library's object. */
function wholeVersion(stored: unknown, where: string): number {
  const text = stored === null || stored === undefined || ArrayBuffer.isView(stored) ? '' : String(stored)
  if (types.isDate(stored) || /^\d+(-\d\d-|:\d\d:)\d\d/.test(text)) {
    throw new StoreError(
      `${where} is a time and cannot be a version: a Date loses its microseconds, and two writes in one tick have the same time; use a column of whole numbers, version: 'content', or on Postgres version: 'xmin'`,
    )
  }
  const version = Number(text)
  if (/^-?\d+$/.test(text) && Number.isSafeInteger(version)) return version
  throw notWhole(where, shown(stored))
}

/** Rejects 2^53 - 1: a number cannot represent the version after it exactly. */
function belowTheLast(version: number, where: string): number {
  if (version < Number.MAX_SAFE_INTEGER) return version
  throw notWhole(where, `${version}, the last one`)
}

function notWhole(where: string, what: string): StoreError {
  return new StoreError(`${where} must be a whole number below 2^53, but is ${what}`)
}

/** Alias of a version that the database computes; a single word, so that name mappers leave it unchanged. */
const ALIAS = 'ckversion'

/** Text that the database computes of the row as it is. */
function expressionVersion(expression: string): RowVersion<string> {
  const sql = `${expression} = ?`
  return {
    selected: `${expression} AS ${ALIAS}, *`,
    column: undefined,
    of: ({ [ALIAS]: version, ...columns }) => ({ version: String(version), columns }),
    is: (expected) => ({ sql, bindings: [expected] }),
  }
}
