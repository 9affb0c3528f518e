import { onPostgres, postgresDatabase } from '../support/engines.ts'
import { knexOn } from '../support/postgres-knex.ts'
import { proveSchemas } from './schemas.ts'

onPostgres.describe('on Postgres', () => {
  proveSchemas(onPostgres.test, async () => {
    const database = await postgresDatabase()
    const [knex, leases] = [knexOn(database.url), knexOn(database.url)]
    await knex.raw('CREATE SCHEMA shop')
    return {
      knex,
      leases,
      outside: async () =>
        (await knex.raw(`SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace`)).rows,
      async close() {
        await Promise.all([knex.destroy(), leases.destroy()])
        await database.drop()
      },
    }
  })
})
