import { StoreError } from '../../errors.ts'
import { shown } from '../../options.ts'
import { quoted } from '../../sql/names.ts'
import type { Names, RowVersion } from './row-version.ts'

type Kept = readonly [
  name: string,
  value: string | number | null | { readonly hex: string } | { readonly integer: string },
]

/** All columns of a row as they were read, as JSON: SQLite has no digest to compute, but compares each of them itself. */
export function sqliteContentVersion({ table, quote }: Names): RowVersion<string> {
  return {
    selected: '*',
    column: undefined,
    of: (row) => ({ version: JSON.stringify(Object.entries(row).map(kept)), columns: row }),
    is(expected) {
      const columns = JSON.parse(expected) as Kept[]
      return {
        // BINARY, because the column's own collation may treat different texts as equal. With the table's name, because SQLite
        // reads an unknown quoted column as a string.
        sql: columns
          .map(([name]) => `${table}.${quoted('a column of the row', name, quote)} COLLATE BINARY IS ?`)
          .join(' AND '),
        bindings: columns.map(([, value]) => bindingOf(value)),
      }
    },
  }
}

function bindingOf(value: Kept[1]): unknown {
  if (typeof value !== 'object' || value === null) return value
  return 'hex' in value ? Buffer.from(value.hex, 'hex') : BigInt(value.integer)
}

function kept([name, value]: [string, unknown]): Kept {
  if (value === null || typeof value === 'string') return [name, value]
  if (typeof value === 'bigint') return [name, { integer: String(value) }]
  if (typeof value === 'number' && Number.isFinite(value) && (Number.isSafeInteger(value) || !Number.isInteger(value)))
    return [name, value]
  if (Buffer.isBuffer(value)) return [name, { hex: value.toString('hex') }]
  throw new StoreError(
    `column ${shown(name)} is ${shown(value)}, which JavaScript may not have exactly: no version can be made of it; take a column of whole numbers`,
  )
}
