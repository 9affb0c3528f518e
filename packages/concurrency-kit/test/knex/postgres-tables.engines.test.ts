import createKnex, { type Knex } from 'knex'
import { afterAll, beforeAll, expect } from 'vitest'
import { createTables, knexIdempotencyStore, tableStatements } from '../../src/entries/knex.ts'
import { onPostgres, type PostgresDatabase, postgresDatabase } from '../support/engines.ts'
import { migrationFile, ownTable, proveOwnTable } from './migration-files.ts'

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

  test('the migration file makes the tables that createTables makes, and may be run again', async () => {
    const [knex] = processes as [Knex]
    const schemas = ['by_file', 'by_call'].map((schema) => ({
      schema,
      knex: createKnex({ client: 'pg', connection: database.url, searchPath: [schema], pool: { min: 0, max: 1 } }),
    }))
    for (const { schema } of schemas) await knex.raw(`CREATE SCHEMA ${schema}`)
    const [byFile, byCall] = schemas.map(({ knex }) => knex) as [Knex, Knex]
    for (const _ of [1, 2]) await byFile.raw(migrationFile('postgres'))
    await createTables(byCall, { idempotency: true, leasedIdempotency: true, locks: true })
    const made = async (schema: string) => {
      const columns = await knex.raw(
        `SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name
        FROM information_schema.columns WHERE table_schema = ? ORDER BY table_name, ordinal_position`,
        [schema],
      )
      const indexes = await knex.raw('SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = ? ORDER BY 1', [
        schema,
      ])
      const sequences = await knex.raw('SELECT sequencename FROM pg_sequences WHERE schemaname = ?', [schema])
      return JSON.stringify([columns.rows, indexes.rows, sequences.rows]).replaceAll(`${schema}.`, '')
    }
    expect(await made('by_file')).toContain('lease_ends_at_ms')
    expect(await made('by_file')).toBe(await made('by_call'))
    for (const { knex } of schemas) await knex.destroy()
  })

  test('records are kept in a table of the caller’s own, as the document has it', async () => {
    const [knex] = processes as [Knex]
    for (const statement of ownTable('postgres')) await knex.raw(statement)
    await proveOwnTable(knex, async (sql) => (await knex.raw(sql)).rows)
  })

  test('options that cannot serve are refused by name', () => {
    const [knex] = processes as [Knex]
    expect(() => knexIdempotencyStore({ knex, isolationLevel: 'snapshot' as never })).toThrow(
      'isolationLevel must be one of',
    )
    expect(() => knexIdempotencyStore({ knex, commandMs: 0 })).toThrow('commandMs must be a whole number')
  })
})
