import { afterAll, beforeAll } from 'vitest'
import { onPostgres } from '../support/engines.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'
import { postgresPlaces } from '../support/transaction-places.ts'
import { proveTransactionControl } from './transaction-control.ts'

onPostgres.describe.each(postgresPlaces)('records on Postgres through %s', (name, open) => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await testDatabase()
  })
  afterAll(async () => {
    // Where one got through, it would keep the database from being dropped.
    const { rows } = await database.sql.raw('SELECT gid FROM pg_prepared_xacts WHERE database = current_database()')
    for (const { gid } of rows) await database.sql.raw(`ROLLBACK PREPARED '${gid}'`)
    await database.close()
  })

  proveTransactionControl(onPostgres, name, 'Postgres', () => open(database)())
})
