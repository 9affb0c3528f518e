import pg from 'pg'
import { afterAll, beforeAll } from 'vitest'
import { createTables, knexLockStore } from '../../src/entries/knex.ts'
import { lockStoreContract } from '../../src/lock/lock-store-contract.ts'
import { onPostgres, type PostgresDatabase, postgresDatabase } from '../support/engines.ts'
import { knexOn } from '../support/postgres-knex.ts'

onPostgres.describe('a lease table on Postgres', () => {
  let database: PostgresDatabase
  beforeAll(async () => {
    database = await postgresDatabase()
  })
  afterAll(() => database.drop())

  for (const listens of [false, true]) {
    lockStoreContract(onPostgres, `knex on Postgres, ${listens ? 'with' : 'without'} a listener`, async () => {
      const knex = knexOn(database.url)
      const listener = new pg.Client({ connectionString: database.url })
      await listener.connect()
      await createTables(knex, { locks: true })
      const store = knexLockStore({ knex, ...(listens && { listener }) })
      return {
        store,
        close: async () => {
          await store.close()
          await listener.end()
          await knex.destroy()
        },
      }
    })
  }
})
