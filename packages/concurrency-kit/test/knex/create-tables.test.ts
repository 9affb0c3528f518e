import type { Knex } from 'knex'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  createTables,
  knexIdempotencyStore,
  knexLeasedIdempotencyStore,
  tableStatements,
} from '../../src/entries/knex.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { sqliteFile } from '../support/sqlite.ts'

let database: ReturnType<typeof sqliteFile>
let knex: Knex

beforeEach(() => {
  database = sqliteFile()
  knex = database.connect()
})
afterEach(() => database.close())

const all = { idempotency: true, leasedIdempotency: true, locks: true }
const tables = async () =>
  (await knex.raw("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")).map(
    ({ name }: { name: string }) => name,
  )

test('makes what is missing, under the names that the stores take by default', async () => {
  await createTables(knex, all)
  expect(await tables()).toEqual([
    'idempotency_records',
    'leased_idempotency_records',
    'locks',
    'locks_tokens',
    'locks_waiters',
  ])
})

test('leaves what is there, and may be run by several processes at once', async () => {
  await createTables(knex, { idempotency: true })
  await withIdempotency({ store: knexIdempotencyStore({ knex }), key: 'kept' }, () => 1)
  await Promise.all(Array.from({ length: 4 }, () => createTables(database.connect(), all)))
  expect((await knex.raw('SELECT count(*) AS n FROM idempotency_records'))[0].n).toBe(1)
})

test('takes names, refuses what is none, and gives the same statements as text', async () => {
  await createTables(knex, { locks: 'own_locks' })
  expect(await tables()).toEqual(['own_locks', 'own_locks_tokens', 'own_locks_waiters'])
  await expect(createTables(knex, { locks: 'x"; DROP TABLE own_locks' })).rejects.toThrow(
    'locks must be a plain SQL name',
  )
  // Its index would have the name of the table itself on Postgres, which cuts names, and would be there already.
  expect(() => tableStatements({ idempotency: 'r'.repeat(53) }, 'postgres')).toThrow('of at most 63 characters')
  expect(tableStatements({ locks: 'own_locks' })).toHaveLength(3)
  for (const statement of tableStatements(all)) await knex.raw(statement)
  expect(await tables()).toHaveLength(8)
})

test('a Knex instance of another database is refused, by name', async () => {
  const other = {
    raw: async () => [],
    transactionProvider: () => async () => ({}) as never,
    client: { driverName: 'mysql2' },
  }
  await expect(createTables(other, all)).rejects.toThrow(
    'knex must use the client better-sqlite3 or pg, but uses "mysql2"',
  )
  await expect(createTables({} as never, all)).rejects.toThrow('knex must be a Knex instance')
})

test.each([
  { table: 'idempotency_records', open: knexIdempotencyStore, columns: '', values: '' },
  {
    table: 'leased_idempotency_records',
    open: knexLeasedIdempotencyStore,
    columns: ', owner, attempt, lease_ends_at_ms',
    values: ", 'o', 1, 0",
  },
])('S14: a purge of $table goes through the index on the expiry, a batch at a time, and never scans it', async (of) => {
  const { table, open, columns, values } = of
  await createTables(knex, { idempotency: true, leasedIdempotency: true })
  const store = open({ knex })
  await knex.raw(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
    INSERT INTO ${table} (idempotency_key, fingerprint, status, created_at, expires_at ${columns})
    SELECT i, 'f', 'completed', '2026-01-01', CASE WHEN i % 2 THEN '2026-01-02 00:00:00.000' ELSE '2999-01-01 00:00:00.000' END ${values} FROM n`)
  const plans: string[] = []
  const statements: { sql: string; bindings: unknown[] }[] = []
  knex.on('query', ({ sql, bindings }: { sql: string; bindings: unknown[] }) => statements.push({ sql, bindings }))
  expect([
    await store.purge({ limit: 300 }),
    await store.purge({ limit: 300 }),
    await store.purge({ limit: 300 }),
  ]).toEqual([300, 200, 0])
  const [purge] = statements
  for (const { detail } of await knex.raw(`EXPLAIN QUERY PLAN ${purge?.sql}`, purge?.bindings as number[]))
    plans.push(detail)
  expect(plans.join('; ')).toMatch(new RegExp(`SEARCH .* USING (COVERING )?INDEX ${table}_expires_at`))
  expect(plans.join('; ')).not.toContain(`SCAN ${table}`)
})
