import { afterAll, beforeAll } from 'vitest'
import { onPostgres } from '../support/engines.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'
import { postgresPlaces } from '../support/transaction-places.ts'
import { CONTROL, proveTransactionControl } from './transaction-control.ts'

onPostgres.describe.each(postgresPlaces)('records on Postgres through %s', (name, open) => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await testDatabase()
  })
  afterAll(() => database.close())

  proveTransactionControl(onPostgres, name, CONTROL.Postgres, () => open(database)())
})
