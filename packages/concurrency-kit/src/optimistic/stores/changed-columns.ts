import { isDeepStrictEqual, types } from 'node:util'
import type { Row } from '../../sql/database.ts'
import type { Dialect } from '../../sql/dialect.ts'
import { findUnstorable, findUnstorableJson, mayHide, refuse } from '../storable.ts'

/** Names of the columns that differ from the row that was read; all columns if that is unknown. */
export function changedColumns(next: Row, current: Row | undefined): string[] {
  const names = Object.keys(next)
  if (current === undefined) return names
  return names.filter((name) => !Object.hasOwn(current, name) || !isSame(next[name], current[name]))
}

/**
 * Equal values are not written: at best that changes nothing, at worst the database loses precision. Two instances of a class may
 * hide a difference, so only the same one counts as equal.
 */
function isSame(next: unknown, current: unknown): boolean {
  if (Object.is(next, current)) return true
  if (typeof next !== 'object' || typeof current !== 'object') return false
  return isDeepStrictEqual(next, current) && !mayHide(next, isColumnValue)
}

/**
 * The binding for a column's new value.
 *
 * @param type - Type of the column, if known.
 * @throws TypeError for a value that the database cannot give back unchanged.
 */
export function encoded(name: string, value: unknown, type: string | undefined, dialect: Dialect): unknown {
  const path = `$.${name}`
  if (dialect.name === 'postgres' && isEncodedByPg(value)) return value
  if (dialect.name === 'postgres' && (type === 'jsonb' || type === 'json')) {
    refuse(findUnstorableJson(value, path))
    return JSON.stringify(value)
  }
  refuse(findUnstorable(value, isColumnValue, path))
  if (type?.startsWith('interval') && typeof value === 'object' && value !== null)
    refuse({ path, what: 'an object, which interval is not made of: give text' })
  return dialect.name === 'sqlite' ? forSqlite(value, path) : value
}

/** `pg` sends the result of an object's `toPostgres` method. */
function isEncodedByPg(value: unknown): boolean {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'toPostgres') === 'function'
}

function isColumnValue(value: object): boolean {
  return types.isDate(value) || ArrayBuffer.isView(value)
}

function forSqlite(value: unknown, path: string): unknown {
  if (typeof value === 'boolean') return Number(value)
  // better-sqlite3 binds every number as a floating-point one, which a column of text keeps as 150.0.
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) return BigInt(value as number)
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  if (types.isDate(value)) return value.getTime()
  const what = `${Array.isArray(value) ? 'an array' : 'an object'}, for which SQLite has no type: convert it to text in toRow`
  return refuse({ path, what })
}
