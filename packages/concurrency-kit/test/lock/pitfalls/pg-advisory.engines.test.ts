import pg from 'pg'
import { afterAll, beforeAll } from 'vitest'
import { pgAdvisoryLockStore } from '../../../src/entries/pg.ts'
import { onPostgres, type PostgresDatabase, postgresDatabase } from '../../support/engines.ts'
import { provePitfalls } from './prove.ts'

onPostgres.describe('on advisory locks', () => {
  let database: PostgresDatabase
  beforeAll(async () => {
    database = await postgresDatabase()
  })
  afterAll(() => database.drop())

  provePitfalls(onPostgres, 'pg advisory', async (environment) => {
    const pool = new pg.Pool({ connectionString: database.url, max: 1, idleTimeoutMillis: 0 })
    return { store: pgAdvisoryLockStore({ pool, ...(environment && { environment }) }), close: () => pool.end() }
  })
})
