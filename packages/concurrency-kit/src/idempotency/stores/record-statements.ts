import type { Row, Statement } from '../../sql/database.ts'
import type { Dialect } from '../../sql/dialect.ts'
import { quoted } from '../../sql/names.ts'
import type { CompletedRecord, RecordKey, Settlement } from '../idempotency-store.ts'
import type { RecordTable } from '../record-table.ts'

/** A record as it stands in the table, completed or not. */
export interface FoundRecord {
  readonly completed: boolean
  readonly record: CompletedRecord
}

/** What a store adds to the claim's upsert. */
export interface ClaimForm {
  readonly columns: readonly string[]
  readonly values: readonly string[]
  readonly set: readonly string[]
  /** Further records than expired ones that the claim takes the place of: a condition, or nothing. */
  readonly replaceable: string
  readonly returning: string
}

/** The statements on the table of records, the same for every client. */
export class RecordStatements {
  readonly table: RecordTable
  readonly dialect: Dialect
  /** `WHERE` of one record; its bindings are {@link RecordStatements.place}. */
  readonly where: string
  readonly #form: ClaimForm
  readonly #claims = new Map<string, string>()
  readonly #select: string
  readonly #selectMany: string

  constructor(table: RecordTable, dialect: Dialect, form: ClaimForm) {
    this.table = table
    this.dialect = dialect
    this.#form = form
    const { columns } = table
    this.where = columns.scope === undefined ? `${columns.key} = ?` : `${columns.scope} = ? AND ${columns.key} = ?`
    // Each column by its name: a prepared `SELECT *` fails once the table has got another column.
    const select = `SELECT ${columns.fingerprint} AS fingerprint, ${columns.status} AS status, ${columns.result} AS result,
      ${columns.outcome ?? 'NULL'} AS outcome, CASE WHEN ${columns.expiresAt} > ${dialect.now} THEN 'yes' ELSE 'no' END AS unexpired,
      CAST(${columns.key} AS text) AS key FROM ${table.table} WHERE `
    this.#select = `${select}${this.where}`
    const inScope = columns.scope === undefined ? '' : `${columns.scope} = ? AND `
    this.#selectMany = `${select}${inScope}${columns.key} ${dialect.inList}`
  }

  /** @throws TypeError a scope for a table that has no column for it. */
  place({ scope, key }: RecordKey): readonly string[] {
    if (this.table.columns.scope !== undefined) return [scope, key]
    if (scope === '') return [key]
    throw new TypeError(`scope must not be given: the table ${this.table.table} has no column for it`)
  }

  /**
   * An upsert that inserts the claim, or puts it in the place of a record that is expired or `replaceable`.
   *
   * Gives no row back where the record stands.
   *
   * @param own - Bindings of the form's `values`, and of its `replaceable`.
   */
  claim(
    request: RecordKey & { readonly fingerprint: string; readonly payload: unknown },
    expiresInMs: number,
    own: { readonly values: readonly unknown[]; readonly replaceable: readonly unknown[] } = NONE,
  ): Statement {
    const extra = this.table.extraColumns(request.payload)
    const names = Object.keys(extra)
    const shape = names.join()
    const sql = this.#claims.get(shape) ?? this.#claimOf(names)
    this.#claims.set(shape, sql)
    return {
      sql,
      bindings: [
        ...this.place(request),
        request.fingerprint,
        this.table.words.inProgress,
        this.dialect.laterBy(expiresInMs),
        ...Object.values(extra),
        ...own.values,
        ...own.replaceable,
      ],
    }
  }

  #claimOf(extraNames: readonly string[]): string {
    const { table, columns } = this.table
    const { now, later } = this.dialect
    const form = this.#form
    const extra = extraNames.map((name) => quoted('extraColumns: a name', name))
    const key = columns.scope === undefined ? [columns.key] : [columns.scope, columns.key]
    const replaced = [columns.fingerprint, columns.status, columns.createdAt, columns.expiresAt, ...extra]
    const values = [...key.map(() => '?'), '?', '?', now, later, ...extra.map(() => '?'), ...form.values]
    const set = [
      ...replaced.map((name) => `${name} = excluded.${name}`),
      `${columns.result} = NULL`,
      ...(columns.outcome === undefined ? [] : [`${columns.outcome} = NULL`]),
      ...form.set,
    ]
    return `INSERT INTO ${table} (${[...key, ...replaced, ...form.columns].join(', ')}) VALUES (${values.join(', ')})
      ON CONFLICT (${key.join(', ')}) DO UPDATE SET ${set.join(', ')}
      WHERE ${table}.${columns.expiresAt} <= ${now}${form.replaceable} RETURNING ${form.returning}`
  }

  /**
   * Stores the settlement in the records that `condition` holds for, and returns a row for each.
   *
   * @param more - Further columns to set, such as the expiry.
   */
  complete(
    request: RecordKey,
    { outcome, text }: Settlement,
    condition: { readonly sql: string; readonly bindings: readonly unknown[] },
    more: { readonly set: readonly string[]; readonly bindings: readonly unknown[] } = { set: [], bindings: [] },
  ): Statement {
    const { table, columns, words } = this.table
    const set = [`${columns.status} = ?`, `${columns.result} = ?`]
    const bindings: unknown[] = [words.completed, text]
    if (columns.outcome !== undefined) {
      set.push(`${columns.outcome} = ?`)
      bindings.push(outcome)
    }
    return {
      sql: `UPDATE ${table} SET ${[...set, ...more.set].join(', ')} WHERE ${this.where} AND ${condition.sql} RETURNING 1`,
      bindings: [...bindings, ...more.bindings, ...this.place(request), ...condition.bindings],
    }
  }

  /** Reads the record; nothing is locked. {@link RecordStatements.found} reads the answer. */
  read(request: RecordKey): Statement {
    return { sql: this.#select, bindings: this.place(request) }
  }

  /** Reads the records of one scope, in no order, each with its `key`; for a dialect that has lists. */
  readMany(scope: string, keys: readonly string[]): Statement {
    return { sql: this.#selectMany, bindings: [...this.place({ scope, key: '' }).slice(0, -1), keys] }
  }

  /** The unexpired record of the rows that {@link RecordStatements.read} gave. */
  found([row]: readonly Row[]): FoundRecord | undefined {
    if (row?.['unexpired'] !== 'yes') return undefined
    const text = (name: string) => String(row[name] ?? '')
    const outcome = text('outcome') === 'error' ? 'error' : 'result'
    return {
      completed: text('status') === this.table.words.completed,
      record: { fingerprint: text('fingerprint'), outcome, text: text('result') },
    }
  }
}

const NONE = { values: [], replaceable: [] }
