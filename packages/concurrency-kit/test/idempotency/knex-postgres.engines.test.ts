import type { Knex } from 'knex'
import { afterAll, beforeAll } from 'vitest'
import { knexIdempotencyStore, knexLeasedIdempotencyStore } from '../../src/entries/knex.ts'
import { idempotencyStoreContract } from '../../src/entries/testing.ts'
import { ISOLATION_LEVELS } from '../../src/sql/isolation-level.ts'
import { onPostgres } from '../support/engines.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

onPostgres.describe('records through Knex on Postgres', () => {
  let database: TestDatabase
  let knex: Knex
  let other: Knex
  beforeAll(async () => {
    database = await testDatabase()
    knex = database.knex({ max: 5 })
    other = database.knex({ max: 5 })
  })
  afterAll(() => database.close())

  for (const isolationLevel of ISOLATION_LEVELS) {
    idempotencyStoreContract<Knex.Transaction>(
      onPostgres,
      `knex on Postgres, ${isolationLevel}`,
      async () => {
        await database.sql.raw('TRUNCATE idempotency_records, effects')
        return {
          store: knexIdempotencyStore({ knex, isolationLevel }),
          rival: knexIdempotencyStore({ knex: other, isolationLevel }),
          effects: {
            add: (transaction) => transaction.raw('INSERT INTO effects DEFAULT VALUES'),
            count: () => database.count('effects'),
          },
          close: async () => {},
        }
      },
      { kind: 'transactional' },
    )
  }

  idempotencyStoreContract(
    onPostgres,
    'knex on Postgres, leased',
    async () => {
      await database.sql.raw('TRUNCATE leased_idempotency_records')
      return {
        store: knexLeasedIdempotencyStore({ knex }),
        rival: knexLeasedIdempotencyStore({ knex: other }),
        close: async () => {},
      }
    },
    { kind: 'leased' },
  )
})
