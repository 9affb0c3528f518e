import createKnex, { type Knex } from 'knex'
import { afterAll, beforeAll, expect } from 'vitest'
import { createTables, knexIdempotencyStore, tableStatements } from '../../src/entries/knex.ts'
import { onPostgres, type PostgresDatabase, postgresDatabase } from '../support/engines.ts'

const { describe, test } = onPostgres

describe('tables on Postgres', () => {
  let database: PostgresDatabase
  let processes: Knex[]
  beforeAll(async () => {
    database = await postgresDatabase()
    processes = Array.from({ length: 6 }, () =>
      createKnex({ client: 'pg', connection: database.url, pool: { min: 0, max: 1 } }),
    )
  })
  afterAll(async () => {
    for (const process of processes) await process.destroy()
    await database.drop()
  })

  test('several processes that start at once make them, and those that are there are left', async () => {
    const tables = { idempotency: true, leasedIdempotency: 'own_leased' }
    await Promise.all(processes.map((process) => createTables(process, tables)))
    const [knex] = processes as [Knex]
    await createTables(knex, tables)
    const { rows } = await knex.raw("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    expect(rows.map(({ tablename }: { tablename: string }) => tablename)).toEqual(['idempotency_records', 'own_leased'])
  })

  test('the same statements as text are for migrations of the caller’s own', async () => {
    const [knex] = processes as [Knex]
    const statements = tableStatements({ idempotency: 'migrated' }, 'postgres')
    expect(statements).toHaveLength(2)
    for (const statement of statements) await knex.raw(statement)
    expect(() => tableStatements({}, 'mysql' as never)).toThrow('database must be one of')
  })

  test('options that cannot serve are refused by name', () => {
    const [knex] = processes as [Knex]
    expect(() => knexIdempotencyStore({ knex, isolationLevel: 'snapshot' as never })).toThrow(
      'isolationLevel must be one of',
    )
    expect(() => knexIdempotencyStore({ knex, commandMs: 0 })).toThrow('commandMs must be a whole number')
  })
})
