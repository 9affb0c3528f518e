import type { Knex } from 'knex'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { createTables, knexIdempotencyStore, knexLeasedIdempotencyStore } from '../../../src/entries/knex.ts'
import type { KnexClient } from '../../../src/knex/knex-client.ts'
import { interruptedKnex } from '../../support/interrupted-knex.ts'
import { connectTo, type SqliteFile, sqliteFile } from '../../support/sqlite.ts'
import { proveRecordPitfalls } from './prove.ts'

let database: SqliteFile
let knex: Knex
beforeAll(async () => {
  database = sqliteFile()
  knex = database.connect()
  await createTables(knex, { idempotency: true, leasedIdempotency: true })
  await knex.raw('CREATE TABLE effects (note TEXT)')
})
afterAll(() => database.close())

proveRecordPitfalls({ describe, test }, 'knex SQLite', () => ({
  count: async (prefix) => (await knex.raw('SELECT count(*) AS n FROM effects WHERE note LIKE ?', [`${prefix}%`]))[0].n,
  async open({ environment }) {
    const own = connectTo(database.file)
    const store = knexIdempotencyStore({ knex: own, ...(environment && { environment }) })
    const sql = (transaction: Knex.Transaction, statement: string) => transaction.raw(statement)
    return { store: store as never, sql: sql as never, close: () => own.destroy() }
  },
}))

proveRecordPitfalls({ describe, test }, 'knex SQLite, leased', () => ({
  async open({ environment }) {
    const own = connectTo(database.file)
    const open = (client: KnexClient) =>
      knexLeasedIdempotencyStore({ knex: client, ...(environment && { environment }) })
    const interrupted = (between: () => Promise<unknown>) => open(interruptedKnex(own, between))
    return { store: open(own), interrupted, close: () => own.destroy() }
  },
}))
