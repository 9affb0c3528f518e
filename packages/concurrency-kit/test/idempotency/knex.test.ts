import type { Knex } from 'knex'
import { describe, test } from 'vitest'
import { createTables, knexIdempotencyStore, knexLeasedIdempotencyStore } from '../../src/entries/knex.ts'
import { idempotencyStoreContract } from '../../src/idempotency/idempotency-store-contract.ts'
import { sqliteFile } from '../support/sqlite.ts'

idempotencyStoreContract<Knex.Transaction>({ describe, test }, 'knex on SQLite', async () => {
  const database = sqliteFile()
  const knex = database.connect()
  await createTables(knex, { idempotency: true })
  await knex.raw('CREATE TABLE effects (id INTEGER PRIMARY KEY)')
  return {
    store: knexIdempotencyStore({ knex }),
    effects: {
      add: (transaction) => transaction.raw('INSERT INTO effects DEFAULT VALUES'),
      count: async () => (await knex.raw('SELECT count(*) AS n FROM effects'))[0].n,
    },
    close: () => database.close(),
  }
})

idempotencyStoreContract({ describe, test }, 'knex on SQLite, leased', async () => {
  const database = sqliteFile()
  const knex = database.connect()
  await createTables(knex, { leasedIdempotency: true })
  return { store: knexLeasedIdempotencyStore({ knex }), close: () => database.close() }
})
