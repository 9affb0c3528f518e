import { describe, test } from 'vitest'
import { createTables } from '../../src/entries/knex.ts'
import { sqliteFile } from '../support/sqlite.ts'
import { turnsSuite } from './turns/suite.ts'

turnsSuite({ describe, test }, 'sqlite', async () => {
  const database = sqliteFile()
  const knex = database.connect()
  await createTables(knex, { locks: true })
  const count = (table: string) => async (key: string) =>
    (await knex.raw(`SELECT count(*) AS n FROM ${table} WHERE key = ?`, [key]))[0].n
  return { where: database.file, locks: count('locks'), waiters: count('locks_waiters'), close: () => database.close() }
})
