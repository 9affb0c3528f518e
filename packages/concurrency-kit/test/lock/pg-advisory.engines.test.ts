import pg from 'pg'
import { afterAll, beforeAll } from 'vitest'
import { pgAdvisoryLockStore } from '../../src/entries/pg.ts'
import { lockStoreContract } from '../../src/lock/lock-store-contract.ts'
import { onPostgres, type PostgresDatabase, postgresDatabase } from '../support/engines.ts'

onPostgres.describe('advisory locks', () => {
  let database: PostgresDatabase
  beforeAll(async () => {
    database = await postgresDatabase()
  })
  afterAll(() => database.drop())

  lockStoreContract(onPostgres, 'pg advisory', async () => {
    const pool = new pg.Pool({ connectionString: database.url })
    const store = pgAdvisoryLockStore({ pool })
    return {
      store,
      expires: false,
      close: async () => {
        await store.close()
        await pool.end()
      },
    }
  })
})
