import { onPostgres } from '../support/engines.ts'
import { testDatabase } from '../support/postgres.ts'
import { proveNoStoreOverATransaction } from './over-a-transaction.ts'

proveNoStoreOverATransaction(onPostgres, 'Postgres', async () => {
  const server = await testDatabase()
  return { knex: server.knex({ max: 2 }), close: server.close }
})
