import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect } from 'vitest'
import { ioredisIdempotencyStore } from '../../src/entries/ioredis.ts'
import { createTables, knexLeasedIdempotencyStore } from '../../src/entries/knex.ts'
import type { Points } from '../crash-matrix/points.ts'
import { PostgresFrames } from '../crash-matrix/postgres-frames.ts'
import { RedisFrames } from '../crash-matrix/redis-frames.ts'
import { type Frames, Wire } from '../crash-matrix/wire.ts'
import { onPostgres, onRedis, type PostgresDatabase, postgresDatabase, sharedRedis } from '../support/engines.ts'
import { knexOn } from '../support/postgres-knex.ts'
import { type CampaignOptions, campaign } from './campaign.ts'
import type { Place } from './street.ts'

/** What becomes of a payment at some of its points. */
async function prove(options: CampaignOptions, statement: string): Promise<void> {
  const { runs, statements, violations } = await campaign(options)
  expect(violations).toEqual([])
  expect(statements).toEqual(expect.arrayContaining([expect.stringContaining(statement)]))
  expect(runs).toBeGreaterThanOrEqual((options.runs ?? 0) / 2)
}

const wire = (url: string, frames: () => Frames) => (points: Points) =>
  Wire.to({ port: Number(new URL(url).port), points, frames, terminate: async () => false })

const MODES = [
  ['killed wherever', { mode: 'rerun', runs: 10 }],
  ['and nobody knows whether it was charged', { mode: 'refuse', runs: 3 }],
  ['after another has vanished', { mode: 'probe', vanished: true, runs: 4 }],
] as const
const NAME = 'C9, I3, I11: payer or provider, %s: charged once, one answer, no key stuck'

onPostgres.describe('a payment with its record on Postgres', () => {
  let database: PostgresDatabase
  beforeAll(async () => {
    database = await postgresDatabase()
  })
  afterAll(() => database.drop())

  const place: Place = async () => {
    const { url } = database
    const knex = knexOn(url, { max: 2 })
    await createTables(knex, { leasedIdempotency: true })
    const store = knexLeasedIdempotencyStore({ knex })
    return { url, store, wire: wire(url, () => new PostgresFrames()), close: () => knex.destroy() }
  }

  onPostgres.test.each(MODES)(NAME, (_, options) => prove({ place, ...options }, 'INSERT INTO'), 120_000)
})

onRedis.describe('a payment with its record on Redis', () => {
  const place: Place = async () => {
    const url = sharedRedis()
    const client = new Redis(url)
    const store = ioredisIdempotencyStore({ client })
    return { url, store, wire: wire(url, () => new RedisFrames()), close: async () => client.disconnect() }
  }

  onRedis.test.each(MODES)(NAME, (_, options) => prove({ place, ...options }, 'evalsha'), 120_000)
})
