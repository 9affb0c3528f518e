import { oneOf, shown } from '../options.ts'
import { quoted, quotedTable } from '../sql/names.ts'

/** Names of the columns that a record is kept in; `null` for one that the table does not have. */
export interface RecordColumns {
  /** @defaultValue 'scope'; null: the store refuses a scope. */
  readonly scope?: string | null
  /** Unique, together with the scope. @defaultValue 'idempotency_key' */
  readonly key?: string
  /** @defaultValue 'fingerprint' */
  readonly fingerprint?: string
  /** @defaultValue 'status' */
  readonly status?: string
  /** `result` or `error`. @defaultValue 'outcome'; null: the store refuses `finalErrors`. */
  readonly outcome?: string | null
  /** The stored text. @defaultValue 'result' */
  readonly result?: string
  /** @defaultValue 'created_at' */
  readonly createdAt?: string
  /** @defaultValue 'expires_at' */
  readonly expiresAt?: string
}

export interface RecordTableOptions {
  /** May include a schema: `shop.records`. @defaultValue 'idempotency_records' */
  readonly table?: string
  readonly columns?: RecordColumns
  /** @defaultValue 'in_progress' and 'completed' */
  readonly statusWords?: { readonly inProgress: string; readonly completed: string }
  /** Fills columns of the caller's own table from the payload, such as `user_id`; the same names for every payload. */
  // biome-ignore lint/suspicious/noExplicitAny: the payload is the caller's, checked where it is passed
  readonly extraColumns?: (payload: any) => Record<string, string | number | bigint | null>
}

export interface RecordTable {
  readonly table: string
  readonly columns: {
    readonly scope: string | undefined
    readonly key: string
    readonly fingerprint: string
    readonly status: string
    readonly outcome: string | undefined
    readonly result: string
    readonly createdAt: string
    readonly expiresAt: string
  }
  readonly words: { readonly inProgress: string; readonly completed: string }
  readonly extraColumns: NonNullable<RecordTableOptions['extraColumns']>
}

/** The options, with every name quoted for SQL. */
export function checkRecordTable(options: RecordTableOptions, defaultTable: string): RecordTable {
  const { table = defaultTable, columns = {}, statusWords, extraColumns = () => ({}) } = options
  const known = ['scope', 'key', 'fingerprint', 'status', 'outcome', 'result', 'createdAt', 'expiresAt'] as const
  for (const name of Object.keys(columns)) oneOf('columns: a name', name, known)
  if (typeof extraColumns !== 'function')
    throw new TypeError(`extraColumns must be a function, but is ${shown(extraColumns)}`)
  const column = (name: (typeof known)[number], preset: string) => quoted(`columns.${name}`, columns[name] ?? preset)
  const optional = (name: 'scope' | 'outcome', preset: string) =>
    columns[name] === null ? undefined : column(name, preset)
  return {
    table: quotedTable('table', table),
    columns: {
      scope: optional('scope', 'scope'),
      key: column('key', 'idempotency_key'),
      fingerprint: column('fingerprint', 'fingerprint'),
      status: column('status', 'status'),
      outcome: optional('outcome', 'outcome'),
      result: column('result', 'result'),
      createdAt: column('createdAt', 'created_at'),
      expiresAt: column('expiresAt', 'expires_at'),
    },
    words: {
      inProgress: word('inProgress', statusWords?.inProgress ?? 'in_progress'),
      completed: word('completed', statusWords?.completed ?? 'completed'),
    },
    extraColumns,
  }
}

function word(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  throw new TypeError(`statusWords.${name} must be a word, but is ${shown(value)}`)
}
