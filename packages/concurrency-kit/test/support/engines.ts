import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { describe, inject, test } from 'vitest'

const { redisUrl, postgresUrl, docker } = inject('engines')

/** A test runner that skips what the machine has no server for. */
function runner(available: boolean) {
  return { describe: describe.skipIf(!available), test }
}

export const onRedis = runner(redisUrl !== undefined)
export const onPostgres = runner(postgresUrl !== undefined)
export const onRedisAndPostgres = runner(redisUrl !== undefined && postgresUrl !== undefined)
/** For tests that start servers of their own (`containers.ts`), to pause or kill them. */
export const onDocker = runner(docker)

/** The Redis that all tests share: keys must be unguessable. Asked for inside a test or hook. */
export function sharedRedis(): string {
  return given('Redis', redisUrl)
}

export interface PostgresDatabase {
  readonly url: string
  drop(): Promise<void>
}

/** A fresh database on the Postgres that all tests share, best one a file. */
export async function postgresDatabase(): Promise<PostgresDatabase> {
  const server = given('Postgres', postgresUrl)
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await onServer(server, `CREATE DATABASE ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return { url: url.href, drop: () => onServer(server, `DROP DATABASE ${name} WITH (FORCE)`) }
}

async function onServer(connectionString: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

function given(name: string, url: string | undefined): string {
  if (url === undefined) throw new Error(`there is no ${name}: its suites are to be skipped`)
  return url
}
