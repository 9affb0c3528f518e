import { afterEach, beforeEach, test } from 'vitest'
import { type SqliteFile, sqliteFile } from '../support/sqlite.ts'
import { missingOverKnex } from './missing-tables.ts'

let database: SqliteFile
beforeEach(() => {
  database = sqliteFile()
})
afterEach(() => database.close())

test('X12: a table that is missing is named, and who makes it, on SQLite', () =>
  missingOverKnex(database.connect(), database.connect()))
