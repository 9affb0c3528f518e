import { createClient } from '@redis/client'
// @ts-expect-error it has no types
import Database from 'better-sqlite3'
import { Redis } from 'ioredis'
import createKnex from 'knex'
import pg from 'pg'
import postgres from 'postgres'

import { afterAll, describe, expect, test } from 'vitest'
import { ioredisIdempotencyStore, ioredisLockStore, ioredisVersionedStore } from '../src/entries/ioredis.ts'
import {
  createTables,
  knexIdempotencyStore,
  knexLeasedIdempotencyStore,
  knexLockStore,
  knexVersionedStore,
} from '../src/entries/knex.ts'
import { pgAdvisoryLockStore, pgIdempotencyStore, pgVersionedStore } from '../src/entries/pg.ts'
import { redlockLockStore } from '../src/entries/redlock.ts'
import { optimisticUpdate } from '../src/optimistic/optimistic-update.ts'
import { redlock5 } from './support/redlock.ts'

// None of them connects before it is asked for something.
const ioredis = new Redis({ lazyConnect: true })
const nodeRedis = createClient()
const postgresJs = postgres('postgres://localhost/test')
const pool = new pg.Pool()
const client = new pg.Client()
const config = { client: 'pg', connection: 'postgres://localhost/test' }
const knex = createKnex(config)
const sqlite = new Database(':memory:')
const redlock = redlock5([ioredis])

afterAll(async () => {
  ioredis.disconnect()
  sqlite.close()
  await Promise.all([postgresJs.end(), pool.end(), knex.destroy()])
})

/** As a caller without types could pass it. */
type Given = never

const factories = {
  'a pg.Pool': {
    pgIdempotencyStore: (given: Given) => pgIdempotencyStore({ pool: given }),
    pgVersionedStore: (given: Given) => pgVersionedStore({ pool: given, table: 'accounts' }),
    pgAdvisoryLockStore: (given: Given) => pgAdvisoryLockStore({ pool: given }),
  },
  'an ioredis client': {
    ioredisLockStore: (given: Given) => ioredisLockStore({ client: given }),
    ioredisIdempotencyStore: (given: Given) => ioredisIdempotencyStore({ client: given }),
    ioredisVersionedStore: (given: Given) => ioredisVersionedStore({ client: given }),
  },
  'a Knex instance': {
    knexLockStore: (given: Given) => knexLockStore({ knex: given }),
    knexIdempotencyStore: (given: Given) => knexIdempotencyStore({ knex: given }),
    knexLeasedIdempotencyStore: (given: Given) => knexLeasedIdempotencyStore({ knex: given }),
    knexVersionedStore: (given: Given) => knexVersionedStore({ knex: given, table: 'accounts' }),
    createTables: (given: Given) => createTables(given, { locks: true }),
  },
  'an instance of redlock': {
    redlockLockStore: (given: Given) => redlockLockStore({ redlock: given }),
  },
  'a pg.Client': {
    'knexLockStore, its listener': (given: Given) => knexLockStore({ knex, listener: given }),
  },
}

const clients = {
  'a postgres.js client': postgresJs,
  'a node-redis client': nodeRedis,
  'an ioredis client': ioredis,
  'a pg.Pool': pool,
  'a pg.Client': client,
  'a Knex configuration': config,
  'a Knex instance': knex,
  'a better-sqlite3 database': sqlite,
  'an instance of redlock': redlock,
}

describe.each(Object.entries(factories))('a store that needs %s', (wanted, stores) => {
  const others = Object.entries(clients).filter(([kind]) => kind !== wanted)
  test.each(Object.entries(stores))('X12: %s names the client that it is given instead', async (_name, store) => {
    for (const [kind, given] of others) {
      const refusal = async () => store(given as never)
      await expect(refusal()).rejects.toThrow(new RegExp(`^[a-z]+ must be ${wanted}, but is ${kind}`))
    }
  })
})

test('X12: redlock over node-redis clients names them', () => {
  const over = redlock5([nodeRedis as never])
  expect(() => redlockLockStore({ redlock: over })).toThrow(
    'redlock.clients[0] must be an ioredis client, but is a node-redis client',
  )
})

test('G14: pgVersionedStore is not within a pool, whose statements are in no transaction', async () => {
  const rows = pgVersionedStore({ pool, table: 'accounts' }).within(pool as unknown as Given)
  const update = optimisticUpdate({ store: rows, id: 1 }, (row) => ({ ...row, n: 1 }))
  await expect(update).rejects.toMatchObject({
    cause: new TypeError('transaction must be a pg client that has begun one, but is a pg.Pool'),
  })
})
