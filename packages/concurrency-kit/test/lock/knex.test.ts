import { describe, test } from 'vitest'
import { createTables, knexLockStore } from '../../src/entries/knex.ts'
import { lockStoreContract } from '../../src/entries/testing.ts'
import { sqliteFile } from '../support/sqlite.ts'

lockStoreContract({ describe, test }, 'knex on SQLite', async () => {
  const database = sqliteFile()
  const knex = database.connect()
  await createTables(knex, { locks: true })
  const store = knexLockStore({ knex })
  const rival = knexLockStore({ knex: database.connect() })
  return {
    store,
    rival,
    close: async () => {
      await store.close()
      await rival.close()
      await database.close()
    },
  }
})
