import type { Knex } from 'knex'
import pg from 'pg'

/** What applications set their clients to, which changes what comes back of a statement. */
export const SETTINGS = ['integers as BigInt', 'identifiers in camelCase'] as const
export type Setting = (typeof SETTINGS)[number]

/** Whole numbers of 2, 4 and 8 bytes. */
const INTEGERS = [20, 21, 23]

export const bigIntegers = {
  getTypeParser: ((oid: number, format: never) =>
    INTEGERS.includes(oid) ? (text: string) => BigInt(text) : pg.types.getTypeParser(oid, format)) as never,
}

export const camelCase: Knex.Config = {
  wrapIdentifier: (value, original) => original(value.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)),
  postProcessResponse: renamed,
}

/** As a deep renaming has it: of rows, of results with rows, and of whatever is in them. */
function renamed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(renamed)
  if (typeof value !== 'object' || value === null || value instanceof Date || Buffer.isBuffer(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      renamed(inner),
    ]),
  )
}
