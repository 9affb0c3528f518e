import { describe, test } from 'vitest'
import { knexVersionedStore } from '../../src/entries/knex.ts'
import { type Counter, versionedStoreContract } from '../../src/optimistic/versioned-store-contract.ts'
import { sqliteFile } from '../support/sqlite.ts'

versionedStoreContract({ describe, test }, 'knex on SQLite', async () => {
  const database = sqliteFile()
  const knex = database.connect()
  await knex.raw('CREATE TABLE counters (id INTEGER PRIMARY KEY, count INTEGER NOT NULL, version INTEGER NOT NULL)')
  return {
    store: knexVersionedStore<Counter>({ knex, table: 'counters' }),
    insert: async (count) => {
      const [row] = await knex.raw('INSERT INTO counters (count, version) VALUES (?, 1) RETURNING id', [count])
      return row.id
    },
    delete: (id) => knex.raw('DELETE FROM counters WHERE id = ?', [id]),
    close: () => database.close(),
  }
})
