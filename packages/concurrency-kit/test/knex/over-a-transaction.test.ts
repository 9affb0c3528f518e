import { describe, test } from 'vitest'
import { sqliteFile } from '../support/sqlite.ts'
import { proveNoStoreOverATransaction } from './over-a-transaction.ts'

proveNoStoreOverATransaction({ describe, test }, 'SQLite', async () => {
  const database = sqliteFile()
  return { knex: database.connect(), close: database.close }
})
