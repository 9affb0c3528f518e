import type pg from 'pg'
import { afterAll, beforeAll } from 'vitest'
import { pgIdempotencyStore } from '../../src/entries/pg.ts'
import { idempotencyStoreContract } from '../../src/idempotency/idempotency-store-contract.ts'
import { ISOLATION_LEVELS } from '../../src/sql/isolation-level.ts'
import { onPostgres } from '../support/engines.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

const ways = [
  ['', false, false],
  [', pipelining', true, false],
  [', group commit', true, true],
] as const

onPostgres.describe('records through pg', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await testDatabase()
  })
  afterAll(() => database.close())

  for (const isolationLevel of ISOLATION_LEVELS) {
    for (const [how, pipeline, groupCommit] of ways) {
      const name = `pg, ${isolationLevel}${how}`
      idempotencyStoreContract<pg.PoolClient>(onPostgres, name, async () => {
        await database.sql.raw('TRUNCATE idempotency_records, effects')
        const pool = database.pool({ pipeline })
        return {
          store: pgIdempotencyStore({ pool, isolationLevel, groupCommit }),
          effects: {
            add: async (transaction) => {
              await transaction.query('INSERT INTO effects DEFAULT VALUES')
            },
            count: () => database.count('effects'),
          },
          close: async () => {},
        }
      })
    }
  }
})
