import { Redis } from 'ioredis'
import { createTables } from '../../src/entries/knex.ts'
import { onPostgres, onRedis, postgresDatabase, sharedRedis } from '../support/engines.ts'
import { knexOn } from '../support/postgres-knex.ts'
import { turnsSuite } from './turns/suite.ts'

turnsSuite(onRedis, 'redis', async () => {
  const client = new Redis(sharedRedis())
  return {
    where: sharedRedis(),
    locks: (key) => client.exists(key),
    waiters: (key) => client.zcard(`concurrency-kit:waiting:${key}`),
    close: async () => client.disconnect(),
  }
})

for (const kind of ['postgres', 'postgres without a listener'] as const) {
  turnsSuite(onPostgres, kind, async () => {
    const { url, drop } = await postgresDatabase()
    const knex = knexOn(url, { max: 1 })
    await createTables(knex, { locks: true })
    const count = (table: string) => async (key: string) =>
      Number((await knex.raw(`SELECT count(*) AS n FROM ${table} WHERE key = ?`, [key])).rows[0].n)
    const close = () => knex.destroy().then(drop)
    return { where: url, locks: count('locks'), waiters: count('locks_waiters'), close }
  })
}
