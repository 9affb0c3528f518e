import { Redis } from 'ioredis'
import createKnex from 'knex'
import pg from 'pg'
import { ioredisVersionedStore } from '../../src/entries/ioredis.ts'
import { knexVersionedStore } from '../../src/entries/knex.ts'
import { pgVersionedStore } from '../../src/entries/pg.ts'
import type { Counter } from '../../src/entries/testing.ts'
import { memoryVersionedStore } from '../../src/optimistic/stores/memory.ts'
import type { VersionedStore } from '../../src/optimistic/versioned-store.ts'
import { connectTo } from '../support/sqlite.ts'

/** The row that all contend for. */
export const ROW = 1

/** Its table, on SQL. */
export const TABLE = 'counters'

export interface Opened {
  readonly store: VersionedStore<number, Counter>
  close(): unknown
}

/** The stores of one process, which finds the row at an address: a URL, a file, or nowhere. */
export const stores = {
  memory: () => {
    const store = memoryVersionedStore<number, Counter>({ rows: [[ROW, { count: 0 }]] })
    return { store, close: () => {} }
  },
  'SQLite, knex': (file) => {
    const knex = connectTo(file)
    return { store: knexVersionedStore<Counter>({ knex, table: TABLE }), close: () => knex.destroy() }
  },
  'Postgres, knex': (url) => {
    const knex = createKnex({ client: 'pg', connection: url, pool: { min: 0, max: 8 } })
    return { store: knexVersionedStore<Counter>({ knex, table: TABLE }), close: () => knex.destroy() }
  },
  'Postgres, pg': (connectionString) => {
    const pool = new pg.Pool({ connectionString, max: 8 })
    pool.on('error', () => {})
    return { store: pgVersionedStore<Counter>({ pool, table: TABLE }), close: () => pool.end() }
  },
  // The fragment of the URL is what the keys begin with.
  ioredis: (url) => {
    const client = new Redis(url)
    client.on('error', () => {})
    return {
      store: ioredisVersionedStore<number, Counter>({ client, prefix: new URL(url).hash }),
      close: () => client.disconnect(),
    }
  },
} satisfies Record<string, (address: string) => Opened>

export type StoreName = keyof typeof stores
