import { createTables } from '../../src/entries/knex.ts'
import { dockerAnswers, startPostgres, startRedis } from '../../test/support/containers.ts'
import { knexOn } from '../../test/support/postgres-knex.ts'

export interface Servers {
  readonly redisUrl: string
  /** Has the lease table; undefined where there is neither `DATABASE_URL` nor Docker. */
  readonly databaseUrl: string | undefined
}

/** Runs `work` on the servers of `REDIS_URL` and `DATABASE_URL`, or on some of its own. */
export async function onServers(work: (servers: Servers) => Promise<void>): Promise<void> {
  const docker = dockerAnswers()
  const { REDIS_URL, DATABASE_URL } = process.env
  if (!REDIS_URL && !docker) throw new Error('No Docker engine answers, and REDIS_URL is not set')
  const redis = REDIS_URL ? undefined : await startRedis()
  const postgres = DATABASE_URL || !docker ? undefined : await startPostgres()
  try {
    const databaseUrl = DATABASE_URL || postgres?.url
    if (databaseUrl !== undefined) await withLeaseTable(databaseUrl)
    await work({ redisUrl: REDIS_URL || `redis://127.0.0.1:${redis?.ports[0]}`, databaseUrl })
  } finally {
    await Promise.all([redis?.stop(), postgres?.stop()])
  }
}

async function withLeaseTable(databaseUrl: string): Promise<void> {
  const knex = knexOn(databaseUrl)
  await createTables(knex, { locks: true })
  await knex.destroy()
}
