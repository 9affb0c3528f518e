import pg from 'pg'
import { afterAll, beforeAll } from 'vitest'
import { pgIdempotencyStore, pgVersionedStore } from '../../src/entries/pg.ts'
import { onPostgres, type PostgresDatabase, postgresDatabase } from '../support/engines.ts'
import { knexOn } from '../support/postgres-knex.ts'
import { missingOverKnex, missingRecords, missingRows, type Row } from './missing-tables.ts'

onPostgres.describe('a table that is missing', () => {
  let database: PostgresDatabase
  beforeAll(async () => {
    database = await postgresDatabase()
  })
  afterAll(() => database.drop())

  onPostgres.test('X12: is named, and who makes it, by Knex on Postgres', async () => {
    const knex = knexOn(database.url, { max: 2 })
    await missingOverKnex(knex, knex)
    await knex.destroy()
  })

  onPostgres.test.each([false, true])('X12: is named, and who makes it, by pg (pipelined: %s)', async (pipeline) => {
    const pool = new pg.Pool({ connectionString: database.url, max: 2, pipeline } as pg.PoolConfig).on(
      'error',
      () => {},
    )
    await missingRecords(pgIdempotencyStore({ pool }))
    await missingRows(pgVersionedStore<Row>({ pool, table: 'accounts' }))
    await pool.end()
  })
})
