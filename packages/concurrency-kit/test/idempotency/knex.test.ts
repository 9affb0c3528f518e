import type { Knex } from 'knex'
import { describe, test } from 'vitest'
import { createTables, knexIdempotencyStore, knexLeasedIdempotencyStore } from '../../src/entries/knex.ts'
import { idempotencyStoreContract } from '../../src/entries/testing.ts'
import { sqliteFile } from '../support/sqlite.ts'

idempotencyStoreContract<Knex.Transaction>(
  { describe, test },
  'knex on SQLite',
  async () => {
    const database = sqliteFile()
    const knex = database.connect()
    await createTables(knex, { idempotency: true })
    await knex.raw('CREATE TABLE effects (id INTEGER PRIMARY KEY)')
    return {
      store: knexIdempotencyStore({ knex }),
      rival: knexIdempotencyStore({ knex: database.connect() }),
      effects: {
        add: (transaction) => transaction.raw('INSERT INTO effects DEFAULT VALUES'),
        count: async () => (await knex.raw('SELECT count(*) AS n FROM effects'))[0].n,
      },
      close: () => database.close(),
    }
  },
  { kind: 'transactional' },
)

idempotencyStoreContract(
  { describe, test },
  'knex on SQLite, leased',
  async () => {
    const database = sqliteFile()
    const knex = database.connect()
    await createTables(knex, { leasedIdempotency: true })
    const rival = knexLeasedIdempotencyStore({ knex: database.connect() })
    return { store: knexLeasedIdempotencyStore({ knex }), rival, close: () => database.close() }
  },
  { kind: 'leased' },
)
