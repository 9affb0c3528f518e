import { afterAll, beforeAll } from 'vitest'
import { knexLeasedIdempotencyStore } from '../../src/entries/knex.ts'
import { onPostgres } from '../support/engines.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'
import { clients } from '../support/postgres-clients.ts'
import { proveWaitsForConnections } from './waiting-for-a-connection.ts'

onPostgres.describe.each(clients)('a pool of one connection to Postgres, through %s', (name, open) => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await testDatabase()
  })
  afterAll(() => database.close())

  proveWaitsForConnections(
    onPostgres,
    name,
    async () => {
      await database.sql.raw(`DELETE FROM idempotency_records; DELETE FROM leased_idempotency_records;
        UPDATE accounts SET balance = 0, version = 1`)
      const { store, accounts, occupy } = open(database, { max: 1 })
      const knex = database.knex({ max: 1 })
      return {
        store,
        accounts,
        leased: knexLeasedIdempotencyStore({ knex }),
        async occupy() {
          const [giveBack, transaction] = await Promise.all([occupy(), knex.transaction()])
          return () => Promise.all([giveBack(), transaction.rollback()])
        },
        close: async () => {},
      }
    },
    // There a connection is waited for as long as any command may take.
    { leases: name === 'knex', waitMsBounds: false },
  )
})
