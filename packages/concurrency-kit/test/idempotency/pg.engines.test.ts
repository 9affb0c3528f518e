import type pg from 'pg'
import { afterAll, beforeAll } from 'vitest'
import { pgIdempotencyStore } from '../../src/entries/pg.ts'
import { idempotencyStoreContract } from '../../src/entries/testing.ts'
import { ISOLATION_LEVELS } from '../../src/sql/isolation-level.ts'
import { onPostgres } from '../support/engines.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

const ways = [
  ['', 'plain', false],
  [', pipelining', 'pipelining', false],
  [', group commit', 'pipelining', true],
] as const

onPostgres.describe('records through pg', () => {
  let database: TestDatabase
  let pools: ReturnType<typeof openPools>
  let rivals: ReturnType<typeof openPools>
  /** As one process has them. */
  const openPools = () => ({ plain: database.pool({ max: 5 }), pipelining: database.pool({ max: 5, pipeline: true }) })
  beforeAll(async () => {
    database = await testDatabase()
    pools = openPools()
    rivals = openPools()
  })
  afterAll(() => database.close())

  for (const isolationLevel of ISOLATION_LEVELS) {
    for (const [how, pool, groupCommit] of ways) {
      idempotencyStoreContract<pg.PoolClient>(
        onPostgres,
        `pg, ${isolationLevel}${how}`,
        async () => {
          await database.sql.raw('TRUNCATE idempotency_records, effects')
          return {
            store: pgIdempotencyStore({ pool: pools[pool], isolationLevel, groupCommit }),
            rival: pgIdempotencyStore({ pool: rivals[pool], isolationLevel, groupCommit }),
            effects: {
              add: async (transaction) => {
                await transaction.query('INSERT INTO effects DEFAULT VALUES')
              },
              count: () => database.count('effects'),
            },
            close: async () => {},
          }
        },
        { kind: 'transactional' },
      )
    }
  }
})
