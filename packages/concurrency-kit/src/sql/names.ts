import { shown } from '../options.ts'

/** Postgres cuts longer ones. */
const MOST_CHARACTERS = 63

/** How a client quotes a plain name in SQL. */
export type Quote = (name: string) => string

/** A name from the options, quoted; anything but a plain identifier is refused. */
export function quoted(option: string, name: unknown, quote: Quote = doubleQuotes): string {
  if (typeof name !== 'string' || name.length > MOST_CHARACTERS || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    throw new TypeError(
      `${option} must be a plain SQL name of at most ${MOST_CHARACTERS} characters, but is ${shown(name)}`,
    )
  }
  return quote(name)
}

export const doubleQuotes: Quote = (name) => `"${name}"`

/** Quotes a table's name; a schema before a dot (on SQLite an attached file) is quoted separately. */
export function quotedTable(option: string, name: unknown, quote?: Quote): string {
  const { schema, table } = tableParts(name)
  const last = quoted(option, table, quote)
  return schema === undefined ? last : `${quoted(option, schema, quote)}.${last}`
}

/** Splits a table's name at the first dot, without checking the parts. */
export function tableParts(name: unknown): { readonly schema: string | undefined; readonly table: unknown } {
  const dot = typeof name === 'string' ? name.indexOf('.') : -1
  if (typeof name !== 'string' || dot === -1) return { schema: undefined, table: name }
  return { schema: name.slice(0, dot), table: name.slice(dot + 1) }
}
