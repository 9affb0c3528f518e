import { randomUUID } from 'node:crypto'
import type { Knex } from 'knex'
import { knexOn } from '../support/postgres-knex.ts'
import { sqliteFile } from '../support/sqlite.ts'
import { ROW, type StoreName, stores, TABLE } from './stores.ts'

/** Where the row is, and how many processes can contend for it. */
export interface Place {
  readonly name: StoreName
  readonly processes: number
  /** Whether the store can lock a row when attempts fail. */
  readonly locks: boolean
  /** A row that has not been counted up yet. */
  open(): Promise<{ readonly address: string; close(): unknown }>
}

/** Those that need no server. */
export const embeddedPlaces: readonly Place[] = [
  { name: 'memory', processes: 1, locks: true, open: async () => ({ address: '', close: () => {} }) },
  {
    name: 'SQLite, knex',
    processes: 4,
    locks: true,
    open: async () => {
      const database = sqliteFile()
      await createCounters(database.connect())
      return { address: database.file, close: () => database.close() }
    },
  },
]

export function placesOn(redisUrl: string, postgresUrl: string): readonly Place[] {
  const onPostgres = async () => {
    const knex = knexOn(postgresUrl)
    await knex.raw(`DROP TABLE IF EXISTS ${TABLE}`)
    await createCounters(knex)
    return { address: postgresUrl, close: () => knex.destroy() }
  }
  return [
    { name: 'Postgres, knex', processes: 4, locks: true, open: onPostgres },
    { name: 'Postgres, pg', processes: 4, locks: true, open: onPostgres },
    {
      name: 'ioredis',
      processes: 4,
      locks: false,
      open: async () => {
        const address = `${redisUrl}#${randomUUID()}`
        const { store: rows, close: disconnect } = stores.ioredis(address)
        await rows.insert(ROW, { count: 0 })
        const close = async () => {
          await rows.delete(ROW)
          disconnect()
        }
        return { address, close }
      },
    },
  ]
}

async function createCounters(knex: Knex): Promise<void> {
  await knex.raw(`CREATE TABLE ${TABLE} (id INTEGER PRIMARY KEY, count INTEGER NOT NULL, version INTEGER NOT NULL)`)
  await knex.raw(`INSERT INTO ${TABLE} VALUES (${ROW}, 0, 1)`)
}
