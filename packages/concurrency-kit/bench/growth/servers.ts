import { createTables } from '../../src/entries/knex.ts'
import { knexOn } from '../../test/support/postgres-knex.ts'
import { benchDatabase, benchRedis } from '../servers.ts'

export interface Servers {
  readonly redisUrl: string
  /** Has the lease table; undefined where there is neither `DATABASE_URL` nor Docker. */
  readonly databaseUrl: string | undefined
}

/** Runs `work` on the servers of `REDIS_URL` and `DATABASE_URL`, or on some of its own. */
export async function onServers(work: (servers: Servers) => Promise<void>): Promise<void> {
  const redis = await benchRedis()
  if (redis === undefined) throw new Error('No Docker engine answers, and REDIS_URL is not set')
  const database = await benchDatabase()
  try {
    if (database !== undefined) await withLeaseTable(database.url)
    await work({ redisUrl: redis.url, databaseUrl: database?.url })
  } finally {
    await Promise.all([redis.close(), database?.close()])
  }
}

async function withLeaseTable(databaseUrl: string): Promise<void> {
  const knex = knexOn(databaseUrl)
  await createTables(knex, { locks: true })
  await knex.destroy()
}
