import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { onRedisAndPostgres, type PostgresDatabase, postgresDatabase, sharedRedis } from '../support/engines.ts'
import { arenas, type Servers, wrongArenas } from './arenas.ts'
import { matrix, type Tally } from './matrix.ts'
import { VARIANTS } from './plan.ts'
import { isCommit } from './points.ts'
import { observePostgres, observeRedis } from './servers.ts'

/** A fixed part of the command `crash-matrix`, with how many runs of each. */
const PART = [
  ['pg', 'read committed', 22],
  ['pg, pipelining', 'serializable', 22],
  ['pg, groupCommit', 'repeatable read', 16],
  ['knex', 'repeatable read', 22],
  ['knex on SQLite', 'one writer', 22],
  ['ioredis', 'rerun', 18],
  ['ioredis', 'refuse', 18],
  ['ioredis', 'probe', 18],
  ['knex, leased', 'probe', 18],
  ['memory', 'probe', 22],
] as const

const leased: readonly string[] = ['ioredis', 'knex, leased', 'memory']

const violationsOf = (tallies: readonly Tally[]) => tallies.flatMap(({ violations }) => violations)

onRedisAndPostgres.describe('whatever happens to a charge, at whichever point of it', () => {
  let database: PostgresDatabase
  let servers: Servers
  let runs = 0
  beforeAll(async () => {
    database = await postgresDatabase()
    servers = { postgres: await observePostgres(database.url), redis: observeRedis(sharedRedis()) }
  })
  afterAll(async () => {
    await Promise.all([servers.postgres.close(), servers.redis.close()])
    await database.drop()
  })

  test.each(PART)(
    'C9, I3, I11: %s, %s: charged as documented, one answer, no key stuck',
    async (store, setting, count) => {
      const arena = arenas.find((each) => each.store === store && each.setting === setting)
      const kills = store === 'knex on SQLite' ? count : 4
      const others = Math.ceil((count - kills) / 4)
      const variants = VARIANTS.slice(3, 5)
      const part = { kills, cuts: count - kills - others, others, variants }
      const { tallies, statements } = await matrix(arena as (typeof arenas)[number], servers, part)
      expect(violationsOf(tallies)).toEqual([])
      expect(statements.some((text) => (leased.includes(store) ? text === 'the effect' : isCommit(text)))).toBe(true)
      for (const tally of tallies) runs += tally.runs
    },
  )

  test('those were at least 150 runs in which something happened', () => {
    expect(runs).toBeGreaterThanOrEqual(150)
  })

  describe('and the matrix sees stores that are wrong', () => {
    test.each([
      // Neither has deadlines: what else can happen would only hang.
      ['record outside', VARIANTS.slice(0, 1), 0, 'charged 2 times'],
      ['check, then insert', VARIANTS.slice(6), 0, 'charged 2 times'],
      ['without owners', VARIANTS.slice(0, 1), 6, '2 different answers'],
    ])('%s', async (store, variants, others, violation) => {
      const arena = wrongArenas.find((each) => each.store === store)
      const part = { kills: 4, cuts: 24, others, variants }
      const { tallies } = await matrix(arena as (typeof arenas)[number], servers, part)
      expect(violationsOf(tallies).filter((each) => each.includes(violation))).not.toEqual([])
    })
  })
})
