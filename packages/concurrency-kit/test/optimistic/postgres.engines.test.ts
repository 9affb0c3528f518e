import { afterAll, beforeAll } from 'vitest'
import { knexVersionedStore } from '../../src/entries/knex.ts'
import { pgVersionedStore } from '../../src/entries/pg.ts'
import { type Counter, versionedStoreContract } from '../../src/optimistic/versioned-store-contract.ts'
import { onPostgres } from '../support/engines.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

/** A table of its own for each kind of version; a version that is a column begins anywhere. */
const TABLES = {
  column: ', version bigint NOT NULL DEFAULT floor(random() * 4503599627370496)',
  xmin: '',
  content: '',
} as const

onPostgres.describe('versioned rows on Postgres', () => {
  let database: TestDatabase
  let clients: ReturnType<typeof openClients>
  const openClients = () => ({
    knex: database.knex(),
    pool: database.pool(),
    pipelining: database.pool({ pipeline: true }),
  })
  beforeAll(async () => {
    database = await testDatabase()
    for (const [kind, column] of Object.entries(TABLES))
      await database.sql.raw(`CREATE TABLE counters_${kind} (id serial PRIMARY KEY, count int NOT NULL${column})`)
    clients = openClients()
  })
  afterAll(() => database.close())

  const rowsOf = (table: string) => ({
    insert: async (count: number, id?: number) => {
      const { rows } = await database.sql.raw(
        `INSERT INTO ${table} (id, count) VALUES (coalesce(?, nextval('${table}_id_seq')), ?) RETURNING id`,
        [id ?? null, count],
      )
      return rows[0].id
    },
    delete: (id: number) => database.sql.raw(`DELETE FROM ${table} WHERE id = ?`, [id]),
    close: async () => {},
  })

  for (const name of ['knex', 'pg', 'pg, pipelining'] as const) {
    const pool = () => (name === 'pg' ? clients.pool : clients.pipelining)
    versionedStoreContract(onPostgres, `${name} on Postgres`, async () => {
      const options = { table: 'counters_column' }
      const store =
        name === 'knex'
          ? knexVersionedStore<Counter>({ knex: clients.knex, ...options })
          : pgVersionedStore<Counter>({ pool: pool(), ...options })
      return { store, ...rowsOf(options.table) }
    })
    for (const version of ['xmin', 'content'] as const) {
      versionedStoreContract(onPostgres, `${name} on Postgres, by ${version}`, async () => {
        const options = { table: `counters_${version}`, version }
        const store =
          name === 'knex'
            ? knexVersionedStore<Counter>({ knex: clients.knex, ...options })
            : pgVersionedStore<Counter>({ pool: pool(), ...options })
        return { store, ...rowsOf(options.table) }
      })
    }
  }
})
