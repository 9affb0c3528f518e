import { StoreError } from '../../errors.ts'
import { shown } from '../../options.ts'
import { quoted } from '../../sql/names.ts'
import type { RowVersion } from './row-version.ts'

type Kept = readonly [name: string, value: string | number | null | { readonly hex: string }]

/** All columns of a row as they were read, as JSON: SQLite has no digest to compute, but compares each of them itself. */
export const sqliteContentVersion: RowVersion<string> = {
  selected: '*',
  column: undefined,
  of: (row) => ({ version: JSON.stringify(Object.entries(row).map(kept)), columns: row }),
  is(expected) {
    const columns = JSON.parse(expected) as Kept[]
    return {
      // A column's own collation may take two texts for equal.
      sql: columns.map(([name]) => `${quoted('a column of the row', name)} COLLATE BINARY IS ?`).join(' AND '),
      bindings: columns.map(([, value]) =>
        typeof value === 'object' && value !== null ? Buffer.from(value.hex, 'hex') : value,
      ),
    }
  },
}

function kept([name, value]: [string, unknown]): Kept {
  if (value === null || typeof value === 'string') return [name, value]
  if (typeof value === 'number' && Number.isFinite(value) && (Number.isSafeInteger(value) || !Number.isInteger(value)))
    return [name, value]
  if (Buffer.isBuffer(value)) return [name, { hex: value.toString('hex') }]
  throw new StoreError(
    `column ${shown(name)} is ${shown(value)}, which JavaScript may not have exactly: no version can be made of it; take a column of whole numbers`,
  )
}
