import type { Knex } from 'knex'
import { describe, test } from 'vitest'
import { knexVersionedStore } from '../../src/entries/knex.ts'
import { type Counter, versionedStoreContract } from '../../src/entries/testing.ts'
import { sqliteFile } from '../support/sqlite.ts'

async function counters(columns: string) {
  const database = sqliteFile()
  const knex = database.connect()
  await knex.raw(`CREATE TABLE counters (id INTEGER PRIMARY KEY, count INTEGER NOT NULL${columns})`)
  return {
    knex,
    other: database.connect(),
    insert: async (count: number, id: number | null = null) => {
      const [row] = await knex.raw('INSERT INTO counters (id, count) VALUES (?, ?) RETURNING id', [id, count])
      return row.id
    },
    delete: (id: number) => knex.raw('DELETE FROM counters WHERE id = ?', [id]),
    close: () => database.close(),
  }
}

versionedStoreContract({ describe, test }, 'knex on SQLite', async () => {
  const { knex, other, ...rows } = await counters(
    ', version INTEGER NOT NULL DEFAULT (abs(random() % 4503599627370496))',
  )
  const open = (each: Knex) => knexVersionedStore<Counter>({ knex: each, table: 'counters' })
  return { store: open(knex), rival: open(other), ...rows }
})

versionedStoreContract({ describe, test }, 'knex on SQLite, by content', async () => {
  const { knex, other, ...rows } = await counters('')
  const open = (each: Knex) => knexVersionedStore<Counter>({ knex: each, table: 'counters', version: 'content' })
  return { store: open(knex), rival: open(other), ...rows }
})
