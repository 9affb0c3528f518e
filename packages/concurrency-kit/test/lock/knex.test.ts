import { describe, test } from 'vitest'
import { createTables, knexLockStore } from '../../src/entries/knex.ts'
import { lockStoreContract } from '../../src/lock/lock-store-contract.ts'
import { sqliteFile } from '../support/sqlite.ts'

lockStoreContract({ describe, test }, 'knex on SQLite', async () => {
  const database = sqliteFile()
  const knex = database.connect()
  await createTables(knex, { locks: true })
  const store = knexLockStore({ knex })
  return {
    store,
    close: async () => {
      await store.close()
      await database.close()
    },
  }
})
