import { afterAll, beforeAll } from 'vitest'
import { onPostgres } from '../support/engines.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'
import { postgresPlaces } from '../support/transaction-places.ts'
import { proveErrorsWithoutEffects } from './errors-without-effects.ts'

onPostgres.describe.each(postgresPlaces)('records on Postgres through %s', (name, open) => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await testDatabase()
  })
  afterAll(() => database.close())

  proveErrorsWithoutEffects(onPostgres, name, () => open(database)())
})
