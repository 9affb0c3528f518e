import pg from 'pg'
import { afterAll, beforeAll } from 'vitest'
import { createTables, knexLockStore } from '../../../src/entries/knex.ts'
import { onPostgres, type PostgresDatabase, postgresDatabase } from '../../support/engines.ts'
import { knexOn } from '../../support/postgres-knex.ts'
import { provePitfalls } from './prove.ts'

onPostgres.describe('on a lease table', () => {
  let database: PostgresDatabase
  beforeAll(async () => {
    database = await postgresDatabase()
    const knex = knexOn(database.url)
    await createTables(knex, { locks: true })
    await knex.destroy()
  })
  afterAll(() => database.drop())

  provePitfalls(onPostgres, 'knex Postgres', async (environment) => {
    const knex = knexOn(database.url, { max: 1 })
    const listener = new pg.Client(database.url)
    await listener.connect()
    const store = knexLockStore({ knex, listener, ...(environment && { environment }) })
    return { store, close: () => Promise.all([knex.destroy(), listener.end()]) }
  })
})
