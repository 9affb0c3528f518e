import { type KnexClient, type KnexStatements, quoted, rowsOf } from '../../knex/knex-client.ts'
import { LATER_TEXT, NOW_TEXT, secondsFromNow } from '../../knex/sqlite.ts'
import type { CompletedRecord, FindRequest, RecordKey, Settlement } from '../idempotency-store.ts'
import type { RecordTable } from '../record-table.ts'

/** A record as it stands in the table, completed or not. */
export interface FoundRecord {
  readonly completed: boolean
  readonly record: CompletedRecord
  readonly row: Record<string, unknown>
}

/** The statements that the transactional and the leased store share. */
export class KnexRecords {
  readonly table: RecordTable
  /** `WHERE` of one record; its bindings are {@link KnexRecords.place}. */
  readonly where: string
  readonly #select: string
  readonly #purge: string

  constructor(table: RecordTable) {
    this.table = table
    const { columns } = table
    this.where = columns.scope === undefined ? `${columns.key} = ?` : `${columns.scope} = ? AND ${columns.key} = ?`
    this.#select = `SELECT *, ${columns.expiresAt} > ${NOW_TEXT} AS unexpired__ FROM ${table.table} WHERE ${this.where}`
    // Through the index on the expiry: never a scan of the whole table.
    this.#purge = `DELETE FROM ${table.table} WHERE rowid IN
      (SELECT rowid FROM ${table.table} WHERE ${columns.expiresAt} <= ${NOW_TEXT} ORDER BY ${columns.expiresAt} LIMIT ?) RETURNING 1`
  }

  /** @throws TypeError a scope for a table that has no column for it. */
  place({ scope, key }: RecordKey): readonly string[] {
    if (this.table.columns.scope !== undefined) return [scope, key]
    if (scope === '') return [key]
    throw new TypeError(`scope must not be given: the table ${this.table.table} has no column for it`)
  }

  /**
   * An upsert that inserts the claim, or puts it in place of a record for which `replaceable` holds.
   *
   * Gives no row back where the record stands.
   */
  async claim(
    client: KnexStatements,
    request: RecordKey & { readonly fingerprint: string; readonly payload: unknown },
    expiresInMs: number,
    own: {
      readonly columns: readonly string[]
      readonly values: readonly string[]
      readonly bindings: readonly unknown[]
    },
    conflict: {
      readonly set: readonly string[]
      readonly replaceable: string
      readonly bindings: readonly unknown[]
      readonly returning: string
    },
  ): Promise<Record<string, unknown> | undefined> {
    const { table, columns, words, extraColumns } = this.table
    const extra = Object.entries(extraColumns(request.payload))
    const names = extra.map(([name]) => quoted('extraColumns: a name', name))
    const key = columns.scope === undefined ? [columns.key] : [columns.scope, columns.key]
    const inserted = [
      ...key,
      columns.fingerprint,
      columns.status,
      columns.createdAt,
      columns.expiresAt,
      ...names,
      ...own.columns,
    ]
    const values = [...key.map(() => '?'), '?', '?', NOW_TEXT, LATER_TEXT, ...names.map(() => '?'), ...own.values]
    const replaced = [columns.fingerprint, columns.status, columns.createdAt, columns.expiresAt, ...names]
    const set = [...replaced.map((name) => `${name} = excluded.${name}`), `${columns.result} = NULL`, ...conflict.set]
    const sql = `INSERT INTO ${table} (${inserted.join(', ')}) VALUES (${values.join(', ')})
      ON CONFLICT (${key.join(', ')}) DO UPDATE SET ${set.join(', ')}
      WHERE ${table}.${columns.expiresAt} <= ${NOW_TEXT}${conflict.replaceable} RETURNING ${conflict.returning}`
    const bindings = [
      ...this.place(request),
      request.fingerprint,
      words.inProgress,
      secondsFromNow(expiresInMs),
      ...extra.map(([, value]) => value),
      ...own.bindings,
      ...conflict.bindings,
    ]
    const [row] = await rowsOf(client, sql, bindings)
    return row
  }

  /** `SET` of a completed record and its bindings. */
  completion({ outcome, text }: Settlement): { readonly set: string; readonly bindings: readonly string[] } {
    const { columns, words } = this.table
    const set = [`${columns.status} = ?`, `${columns.result} = ?`]
    const bindings = [words.completed, text]
    if (columns.outcome !== undefined) {
      set.push(`${columns.outcome} = ?`)
      bindings.push(outcome)
    }
    return { set: set.join(', '), bindings }
  }

  /** The unexpired record; one statement, nothing locked. */
  async read(client: KnexStatements, request: RecordKey): Promise<FoundRecord | undefined> {
    const [row] = await rowsOf(client, this.#select, this.place(request))
    if (row === undefined || row['unexpired__'] !== 1) return undefined
    const { columns, words } = this.table
    const text = (name: string) => String(row[name.slice(1, -1)] ?? '')
    const outcome = columns.outcome !== undefined && text(columns.outcome) === 'error' ? 'error' : 'result'
    return {
      completed: text(columns.status) === words.completed,
      record: { fingerprint: text(columns.fingerprint), outcome, text: text(columns.result) },
      row,
    }
  }

  async find(knex: KnexClient, request: FindRequest): Promise<CompletedRecord | undefined> {
    const found = await this.read(knex, request)
    return found?.completed === true ? found.record : undefined
  }

  async purge(knex: KnexClient, limit: number): Promise<number> {
    return (await rowsOf(knex, this.#purge, [limit])).length
  }
}
