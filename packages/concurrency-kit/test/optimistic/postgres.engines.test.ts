import { afterAll, beforeAll } from 'vitest'
import { knexVersionedStore } from '../../src/entries/knex.ts'
import { pgVersionedStore } from '../../src/entries/pg.ts'
import { type Counter, versionedStoreContract } from '../../src/entries/testing.ts'
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
  let rivals: ReturnType<typeof openClients>
  /** As one process has them. */
  const openClients = () => ({
    knex: database.knex({ max: 5 }),
    pg: database.pool({ max: 5 }),
    'pg, pipelining': database.pool({ max: 5, pipeline: true }),
  })
  beforeAll(async () => {
    database = await testDatabase()
    for (const [kind, column] of Object.entries(TABLES))
      await database.sql.raw(`CREATE TABLE counters_${kind} (id serial PRIMARY KEY, count int NOT NULL${column})`)
    clients = openClients()
    rivals = openClients()
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
    for (const version of ['column', 'xmin', 'content'] as const) {
      // Its type leaves the kind of version out, which to the suite is all the same.
      const options: { readonly table: string } = {
        table: `counters_${version}`,
        ...(version !== 'column' && { version }),
      }
      const open = (of: typeof clients) =>
        name === 'knex'
          ? knexVersionedStore<Counter>({ knex: of.knex, ...options })
          : pgVersionedStore<Counter>({ pool: of[name], ...options })
      versionedStoreContract(onPostgres, `${name} on Postgres, by ${version}`, async () => {
        return { store: open(clients), rival: open(rivals), ...rowsOf(options.table) }
      })
    }
  }
})
