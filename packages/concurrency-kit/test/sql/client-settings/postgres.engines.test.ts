import { afterAll, beforeAll, expect } from 'vitest'
import { onPostgres, type PostgresDatabase, postgresDatabase } from '../../support/engines.ts'
import { runContract } from './run-contract.ts'
import { SETTINGS } from './settings.ts'
import { ON_POSTGRES } from './suites.ts'

const { describe, test } = onPostgres

describe.each(Object.keys(ON_POSTGRES))('%s on Postgres', (suite) => {
  let database: PostgresDatabase
  beforeAll(async () => {
    database = await postgresDatabase()
  })
  afterAll(() => database.drop())

  // pg has no setting for identifiers.
  test.each(suite.startsWith('pg') ? SETTINGS.slice(0, 1) : SETTINGS)(
    'V5: keeps its contract, and the process running, with %s',
    async (setting) => {
      expect(await runContract('Postgres', suite, setting, database.url)).toMatchObject({ failed: [] })
    },
  )
})
