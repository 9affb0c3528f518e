import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { Knex } from 'knex'
import { expect } from 'vitest'
import { knexIdempotencyStore, type Tables, tableStatements } from '../../src/entries/knex.ts'
import { FingerprintMismatchError } from '../../src/errors.ts'
import { purgeExpired } from '../../src/idempotency/purge-expired.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'

type Database = NonNullable<Parameters<typeof tableStatements>[1]>

const SECTIONS: Record<Database, readonly (readonly [string, Tables])[]> = {
  postgres: [
    ['knexIdempotencyStore, pgIdempotencyStore', { idempotency: true }],
    ['knexLeasedIdempotencyStore', { leasedIdempotency: true }],
    ['knexLockStore', { locks: true }],
  ],
  sqlite: [
    ['knexIdempotencyStore', { idempotency: true }],
    ['knexLeasedIdempotencyStore; in another file than the records above', { leasedIdempotency: true }],
    ['knexLockStore; in another file than the records above', { locks: true }],
  ],
}

/** What the migration file of a database must be: a section a store, each as `tableStatements` gives it. */
export function migrationOf(database: Database): string {
  return SECTIONS[database]
    .map(([stores, tables]) => `-- ${stores}\n${tableStatements(tables, database).join(';\n')};\n`)
    .join('\n')
}

/** The file as it is in the package. */
export function migrationFile(database: Database): string {
  return readFileSync(path.join(import.meta.dirname, `../../migrations/${database}.sql`), 'utf8')
}

/** The blocks of SQL in `docs/migrations.md`. */
export function sqlOfTheDocument(): string[] {
  const document = readFileSync(path.join(import.meta.dirname, '../../../../docs/migrations.md'), 'utf8')
  return Array.from(document.matchAll(/^```sql\n(.*?)^```$/gms), ([, sql]) => sql as string)
}

/** The statements for a table of the caller's own. */
export function ownTable(database: Database): string[] {
  const [, , onPostgres = '', onSqlite = ''] = sqlOfTheDocument()
  return (database === 'postgres' ? onPostgres : onSqlite).split(';\n').filter((statement) => statement !== '')
}

/** Runs, replays, expires, replaces and purges records in that table, mapped as the document maps it. */
export async function proveOwnTable(
  knex: Knex,
  sql: (text: string) => Promise<Record<string, unknown>[]>,
): Promise<void> {
  const store = knexIdempotencyStore({
    knex,
    table: 'charges',
    columns: {
      scope: null,
      outcome: null,
      key: 'request_id',
      fingerprint: 'request_hash',
      status: 'state',
      result: 'response',
      createdAt: 'charged_at',
      expiresAt: 'keep_until',
    },
    statusWords: { inProgress: 'PROCESSING', completed: 'COMPLETED' },
    extraColumns: (payload: { userId: number; amount: number }) => ({
      user_id: payload.userId,
      amount: payload.amount,
    }),
  })
  const charge = (key: string, amount: number, retentionMs = 86_400_000) =>
    withIdempotency({ store, key, payload: { userId: 7, amount }, retentionMs }, () => `charged ${amount}`)
  expect([await charge('a', 5), await charge('a', 5)]).toEqual(['charged 5', 'charged 5'])
  await expect(charge('a', 6)).rejects.toThrow(FingerprintMismatchError)
  for (const key of ['b', 'c', 'd']) await charge(key, 8, 1)
  await expect.poll(() => charge('b', 9), { interval: 2 }).toBe('charged 9')
  await expect.poll(() => purgeExpired({ store })).toBe(2)
  const rows = await sql('SELECT request_id, state, user_id, amount, response FROM charges ORDER BY request_id')
  expect(rows.map((row) => ({ ...row, user_id: Number(row['user_id']), amount: Number(row['amount']) }))).toEqual([
    { request_id: 'a', state: 'COMPLETED', user_id: 7, amount: 5, response: '"charged 5"' },
    { request_id: 'b', state: 'COMPLETED', user_id: 7, amount: 9, response: '"charged 9"' },
  ])
  await expect(
    withIdempotency({ store, key: 'e', scope: 's', payload: { userId: 7, amount: 1 } }, () => 1),
  ).rejects.toThrow('scope must not be given')
}
