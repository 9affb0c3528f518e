import { Redis } from 'ioredis'
import pg from 'pg'
import { ioredisIdempotencyStore, ioredisLockStore, ioredisVersionedStore } from '../src/entries/ioredis.ts'
import {
  createTables,
  knexIdempotencyStore,
  knexLeasedIdempotencyStore,
  knexLockStore,
  knexVersionedStore,
} from '../src/entries/knex.ts'
import { pgAdvisoryLockStore, pgIdempotencyStore, pgVersionedStore } from '../src/entries/pg.ts'
import { proveNothingKept } from './signals.ts'
import { onPostgres, onRedis, postgresDatabase, sharedRedis } from './support/engines.ts'
import { knexOn } from './support/postgres-knex.ts'
import { freshKey } from './support/redis-keys.ts'

onRedis.test('X2: nothing is kept on the caller’s signal after a call, on Redis', async () => {
  const client = new Redis(sharedRedis())
  const [locks, prefix] = [ioredisLockStore({ client }), freshKey()]
  const rows = ioredisVersionedStore<number, { n: number }>({ client, prefix })
  await rows.insert(1, { n: 0 })
  await proveNothingKept({ locks, leased: ioredisIdempotencyStore({ client, prefix }), rows })
  await locks.close()
  client.disconnect()
})

onPostgres.test('X2: nothing is kept on the caller’s signal after a call, on Postgres', async () => {
  const database = await postgresDatabase()
  const knex = knexOn(database.url)
  const pool = new pg.Pool({ connectionString: database.url, max: 5 }).on('error', () => {})
  await createTables(knex, { locks: true, idempotency: true, leasedIdempotency: true })
  await knex.raw('CREATE TABLE counters (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, version INTEGER NOT NULL)')
  await knex.raw('INSERT INTO counters VALUES (1, 0, 1)')
  const advisory = pgAdvisoryLockStore({ pool })
  await proveNothingKept({
    locks: knexLockStore({ knex }),
    transactional: knexIdempotencyStore({ knex }),
    leased: knexLeasedIdempotencyStore({ knex }),
    rows: knexVersionedStore<{ n: number }>({ knex, table: 'counters' }),
  })
  await proveNothingKept({
    locks: advisory,
    transactional: pgIdempotencyStore({ pool }),
    rows: pgVersionedStore<{ n: number }>({ pool, table: 'counters' }),
  })
  await advisory.close()
  await Promise.all([knex.destroy(), pool.end()])
  await database.drop()
})
