import { expect, test } from 'vitest'
import { createTables } from '../../src/entries/knex.ts'
import { sqliteFile } from '../support/sqlite.ts'
import { migrationFile, migrationOf, ownTable, proveOwnTable, sqlOfTheDocument } from './migration-files.ts'

test.each(['postgres', 'sqlite'] as const)('the migration file for %s is what tableStatements gives', (database) => {
  expect(migrationFile(database)).toBe(migrationOf(database))
})

test('docs/migrations.md shows the files as they are', () => {
  expect(sqlOfTheDocument().slice(0, 2)).toEqual([migrationFile('postgres'), migrationFile('sqlite')])
})

test('on SQLite the file makes the tables that createTables makes, and may be run again', async () => {
  const [migrated, created] = [sqliteFile(), sqliteFile()]
  const [byFile, byCall] = [migrated.connect(), created.connect()]
  for (const _ of [1, 2]) {
    const connection = await byFile.client.acquireConnection()
    connection.exec(migrationFile('sqlite'))
    byFile.client.releaseConnection(connection)
  }
  await createTables(byCall, { idempotency: true, leasedIdempotency: true, locks: true })
  const schema = 'SELECT type, name, sql FROM sqlite_master ORDER BY name'
  const made = await byFile.raw(schema)
  expect(made.length).toBeGreaterThan(5)
  expect(made).toEqual(await byCall.raw(schema))
  await migrated.close()
  await created.close()
})

test('records are kept in a table of the caller’s own on SQLite, as the document has it', async () => {
  const database = sqliteFile()
  const knex = database.connect()
  for (const statement of ownTable('sqlite')) await knex.raw(statement)
  await proveOwnTable(knex, (sql) => knex.raw(sql))
  await database.close()
})
