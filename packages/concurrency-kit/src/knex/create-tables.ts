import { oneOf } from '../options.ts'
import type { Dialect } from '../sql/dialect.ts'
import { quoted, quotedTable, tableParts } from '../sql/names.ts'
import { postgres } from '../sql/postgres.ts'
import { sqlite } from '../sql/sqlite.ts'
import { whileBusy } from '../sql/while-busy.ts'
import { dialectOf, type KnexClient } from './knex-client.ts'

/** Which tables to create: `true` for the store's default name, or a name, which may include a schema: `shop.records`. */
export interface Tables {
  /** For `knexIdempotencyStore` and `pgIdempotencyStore`. @defaultValue false */
  readonly idempotency?: boolean | string
  /** For `knexLeasedIdempotencyStore`; on SQLite in another file than the transactional records. @defaultValue false */
  readonly leasedIdempotency?: boolean | string
  /** For `knexLockStore`; on SQLite in another file than the transactional records. @defaultValue false */
  readonly locks?: boolean | string
}

/**
 * Makes the tables that are missing, and leaves those that are there: safe to run at every start, by several processes.
 *
 * For migrations of your own, `tableStatements` gives the same statements as text.
 */
export async function createTables(knex: KnexClient, tables: Tables): Promise<void> {
  const dialect = dialectOf(knex)
  for (const statement of dialect.schema(tableStatements(tables, dialect.name)))
    await whileBusy('createTables', async () => knex.raw(statement, []), AbortSignal.timeout(10_000))
}

/**
 * The statements of {@link createTables}, in order.
 *
 * @param database - Whose statements. @defaultValue 'sqlite'
 */
export function tableStatements(tables: Tables, database: 'sqlite' | 'postgres' = 'sqlite'): string[] {
  const { idempotency = false, leasedIdempotency = false, locks = false } = tables
  const dialect = { sqlite, postgres }[oneOf('database', database, ['sqlite', 'postgres'])]
  const { bigint } = dialect.types
  return [
    ...(idempotency === false
      ? []
      : recordTable(dialect, 'idempotency', nameOf(idempotency, 'idempotency_records'), '')),
    ...(leasedIdempotency === false
      ? []
      : recordTable(
          dialect,
          'leasedIdempotency',
          nameOf(leasedIdempotency, 'leased_idempotency_records'),
          `
  owner TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  lease_ends_at_ms ${bigint} NOT NULL,`,
        )),
    ...(locks === false ? [] : lockTables(dialect, nameOf(locks, 'locks'))),
  ]
}

function nameOf(table: true | string, preset: string): string {
  return table === true ? preset : table
}

function recordTable({ name, types: { time } }: Dialect, option: string, table: string, own: string): string[] {
  const records = quotedTable(option, table)
  return [
    `CREATE TABLE IF NOT EXISTS ${records} (
  scope TEXT NOT NULL DEFAULT '',
  idempotency_key TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  status TEXT NOT NULL,
  outcome TEXT,
  result TEXT,
  created_at ${time} NOT NULL,
  expires_at ${time} NOT NULL,${own}
  UNIQUE (scope, idempotency_key)
)`,
    `CREATE INDEX IF NOT EXISTS ${indexOn(name, option, table)} (expires_at)`,
  ]
}

/** An index is in its table's schema. Postgres takes the schema with the table's name, SQLite with the index's name. */
function indexOn(database: Dialect['name'], option: string, table: string): string {
  if (database === 'sqlite')
    return `${quotedTable(option, `${table}_expires_at`)} ON ${quoted(option, tableParts(table).table)}`
  return `${quoted(option, `${tableParts(table).table}_expires_at`)} ON ${quotedTable(option, table)}`
}

function lockTables(dialect: Dialect, table: string): string[] {
  const locks = quotedTable('locks', table)
  const [tokens, waiters] = [quotedTable('locks', `${table}_tokens`), quotedTable('locks', `${table}_waiters`)]
  if (dialect.name === 'postgres') {
    // Keys are compared byte by byte, whatever the database's collation takes for equal.
    return [
      `CREATE TABLE IF NOT EXISTS ${locks} (
  key text COLLATE "C" PRIMARY KEY, holder text NOT NULL, ends_at_ms bigint NOT NULL)`,
      `CREATE SEQUENCE IF NOT EXISTS ${tokens}`,
      `CREATE TABLE IF NOT EXISTS ${waiters} (
  key text COLLATE "C", waiter text, since_ms bigint NOT NULL, ends_at_ms bigint NOT NULL, PRIMARY KEY (key, waiter))`,
    ]
  }
  return [
    `CREATE TABLE IF NOT EXISTS ${locks} (
  key TEXT PRIMARY KEY, holder TEXT NOT NULL, ends_at_ms INTEGER NOT NULL) WITHOUT ROWID`,
    `CREATE TABLE IF NOT EXISTS ${tokens} (
  id INTEGER PRIMARY KEY CHECK (id = 1), next_token INTEGER NOT NULL)`,
    `CREATE TABLE IF NOT EXISTS ${waiters} (
  key TEXT, waiter TEXT, since_ms INTEGER NOT NULL, ends_at_ms INTEGER NOT NULL, PRIMARY KEY (key, waiter)) WITHOUT ROWID`,
  ]
}
