import pg from 'pg'
import { postgresDatabase, sharedRedis } from '../../../concurrency-kit/test/support/engines.ts'
import type {} from '../../../concurrency-kit/test/support/engines-setup.ts'
import { postgresLedger } from '../../src/demo/ledger.ts'
import type { Backing } from './backing.ts'

/** A fresh database on the Postgres that all tests share, and their Redis, whose lock keys may be others' too. */
export const redisAndPostgres = async (): Promise<Backing> => {
  const { url, drop } = await postgresDatabase()
  return backingOn(url, sharedRedis(), drop)
}

/** A database that is there, and a Redis. */
export function backingOn(url: string, redisUrl: string, discard: () => Promise<void> = async () => {}): Backing {
  const connected = async () => {
    const client = new pg.Client({ connectionString: url, types: { getTypeParser: asPrinted } })
    await client.connect()
    return client
  }
  return {
    env: { DATABASE_URL: url, REDIS_URL: redisUrl },
    ledger: postgresLedger(url),
    sql: async (statement) => {
      const client = await connected()
      try {
        return (await client.query(statement)).rows
      } finally {
        await client.end()
      }
    },
    occupy: async () => {
      const client = await connected()
      await client.query('BEGIN')
      await client.query('LOCK TABLE users IN EXCLUSIVE MODE')
      return { free: () => client.end() }
    },
    discard,
  }
}

/** Rows as a query tool prints them, but for whole numbers. */
const asPrinted = ((oid: number) =>
  oid === pg.types.builtins.INT8 ? Number : (text: string) => text) as typeof pg.types.getTypeParser
