import type { Knex } from 'knex'
import pg from 'pg'
import { afterAll, beforeAll } from 'vitest'
import { knexIdempotencyStore, knexLeasedIdempotencyStore } from '../../../src/entries/knex.ts'
import { pgIdempotencyStore } from '../../../src/entries/pg.ts'
import type { KnexClient } from '../../../src/knex/knex-client.ts'
import { onPostgres } from '../../support/engines.ts'
import { interruptedKnex } from '../../support/interrupted-knex.ts'
import { type TestDatabase, testDatabase } from '../../support/postgres.ts'
import { knexOn } from '../../support/postgres-knex.ts'
import { type Backend, proveRecordPitfalls } from './prove.ts'

onPostgres.describe('records on Postgres', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await testDatabase()
  })
  afterAll(() => database.close())

  const prove = (name: Parameters<typeof proveRecordPitfalls>[1], open: Open, effects = true) =>
    proveRecordPitfalls(onPostgres, name, () => backend(database, open, effects))

  prove('knex Postgres', async (url, options) => {
    const knex = knexOn(url)
    const sql = (transaction: Knex.Transaction, statement: string) => transaction.raw(statement)
    return {
      store: knexIdempotencyStore({ knex, ...options }) as never,
      sql: sql as never,
      close: () => knex.destroy(),
    }
  })
  prove(
    'knex Postgres, leased',
    async (url, options) => {
      const knex = knexOn(url)
      const open = (client: KnexClient) => knexLeasedIdempotencyStore({ knex: client, ...options })
      const interrupted = (between: () => Promise<unknown>) => open(interruptedKnex(knex, between))
      return { store: open(knex), interrupted, close: () => knex.destroy() }
    },
    false,
  )
  for (const groupCommit of [false, true]) {
    prove(groupCommit ? 'pg, groupCommit' : 'pg', async (url, options) => {
      const pool = new pg.Pool({ connectionString: url, pipeline: groupCommit }).on('error', () => {})
      const sql = (transaction: pg.PoolClient, statement: string) => transaction.query(statement)
      return {
        store: pgIdempotencyStore({ pool, groupCommit, ...options }) as never,
        sql: sql as never,
        close: () => pool.end(),
      }
    })
  }
})

type Open = (
  url: string,
  options: { readonly commandMs: number } & Pick<Parameters<Backend['open']>[0], 'environment'>,
) => ReturnType<Backend['open']>

function backend(database: TestDatabase, open: Open, effects: boolean): Backend {
  const count = async (prefix: string) =>
    (await database.sql.raw('SELECT count(*)::int AS n FROM effects WHERE note LIKE ?', [`${prefix}%`])).rows[0].n
  return {
    port: Number(new URL(database.url).port),
    ...(effects && { count }),
    async open({ environment, port }) {
      const url = new URL(database.url)
      if (port !== undefined) url.port = String(port)
      return open(url.href, { commandMs: 500, ...(environment && { environment }) })
    },
  }
}
