import type { Row, Statement } from '../../sql/database.ts'
import type { Dialect } from '../../sql/dialect.ts'
import type { RecordTable } from '../record-table.ts'

/**
 * Deletes expired records of a table, a batch at a time, each from where the last one ended until one comes short.
 *
 * Postgres keeps deleted rows in the index until they are vacuumed: from its beginning, each batch would pass over what all
 * those before it have deleted.
 */
export class RecordPurge {
  readonly #sql: string
  readonly #first: string | undefined
  #from: string | undefined

  constructor({ table, columns }: RecordTable, { purge, firstExpiry }: Dialect) {
    this.#sql = purge(table, columns.expiresAt)
    this.#first = firstExpiry
    this.#from = firstExpiry
  }

  /** How many were deleted. One that expired before where this pass has come to is left to the next pass. */
  async batch(limit: number, ask: (statement: Statement) => Promise<Row[]>): Promise<number> {
    const bindings = this.#from === undefined ? [limit] : [this.#from, limit]
    const rows = await ask({ sql: this.#sql, bindings })
    const deleted = rows.reduce((sum, row) => sum + Number(row['deleted']), 0)
    const last = rows[0]?.['last_expiry']
    this.#from = deleted === limit && typeof last === 'string' ? last : this.#first
    return deleted
  }
}
