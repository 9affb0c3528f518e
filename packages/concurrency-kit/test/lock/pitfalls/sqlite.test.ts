import { afterAll, beforeAll, describe, test } from 'vitest'
import { createTables, knexLockStore } from '../../../src/entries/knex.ts'
import { connectTo, type SqliteFile, sqliteFile } from '../../support/sqlite.ts'
import { provePitfalls } from './prove.ts'

let database: SqliteFile
beforeAll(async () => {
  database = sqliteFile()
  await createTables(database.connect(), { locks: true })
})
afterAll(() => database.close())

provePitfalls({ describe, test }, 'knex SQLite', async (environment) => {
  const knex = connectTo(database.file)
  return { store: knexLockStore({ knex, ...(environment && { environment }) }), close: () => knex.destroy() }
})
