import { afterAll, beforeAll } from 'vitest'
import { knexVersionedStore } from '../../src/entries/knex.ts'
import { pgVersionedStore } from '../../src/entries/pg.ts'
import { type Counter, versionedStoreContract } from '../../src/optimistic/versioned-store-contract.ts'
import { onPostgres } from '../support/engines.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

onPostgres.describe('versioned rows on Postgres', () => {
  let database: TestDatabase
  let stores: ReturnType<typeof openStores>
  const openStores = () => ({
    knex: knexVersionedStore<Counter>({ knex: database.knex(), table: 'counters' }),
    pg: pgVersionedStore<Counter>({ pool: database.pool(), table: 'counters' }),
    'pg, pipelining': pgVersionedStore<Counter>({ pool: database.pool({ pipeline: true }), table: 'counters' }),
  })
  beforeAll(async () => {
    database = await testDatabase()
    await database.sql.raw('CREATE TABLE counters (id serial PRIMARY KEY, count int NOT NULL, version bigint NOT NULL)')
    stores = openStores()
  })
  afterAll(() => database.close())

  for (const name of ['knex', 'pg', 'pg, pipelining'] as const) {
    versionedStoreContract(onPostgres, `${name} on Postgres`, async () => ({
      store: stores[name],
      insert: async (count) => {
        const { rows } = await database.sql.raw('INSERT INTO counters (count, version) VALUES (?, 1) RETURNING id', [
          count,
        ])
        return rows[0].id
      },
      delete: (id) => database.sql.raw('DELETE FROM counters WHERE id = ?', [id]),
      close: async () => {},
    }))
  }
})
