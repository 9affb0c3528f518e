import { randomUUID } from 'node:crypto'
import pg from 'pg'
import type { RedisServers } from '../../../../concurrency-kit/test/support/containers.ts'
import { onExit } from '../on-exit.ts'

/** The real servers that the demo runs on. */
export interface Engines {
  readonly redisUrl: string
  /** A fresh, empty database; dropped by `close`. */
  freshDatabase(): Promise<string>
  /** Kills Redis and starts it again, empty; undefined where it was given by URL. */
  readonly restartRedis: (() => Promise<void>) | undefined
  /** Kills Postgres and starts it again, with what is on its disk; undefined where it was given by URL. */
  readonly restartPostgres: (() => Promise<void>) | undefined
  close(): Promise<void>
}

/** Those of `REDIS_URL` and `DATABASE_URL`, and containers for what is not given; undefined where neither can be had. */
export async function findEngines(env: Readonly<Record<string, string | undefined>>): Promise<Engines | undefined> {
  const { REDIS_URL: redisUrl, DATABASE_URL: postgresUrl } = env
  if (redisUrl && postgresUrl) return engines({ redisUrl }, { postgresUrl })
  const { dockerAnswers, startPostgres, startRedis } = await import(
    '../../../../concurrency-kit/test/support/containers.ts'
  )
  if (!dockerAnswers()) return undefined
  console.log('Starting Redis and Postgres in containers.')
  const [redis, postgres] = await Promise.all([
    redisUrl ? undefined : startRedis(),
    postgresUrl ? undefined : startPostgres(),
  ])
  return engines(
    redis ? { redisUrl: `redis://127.0.0.1:${redis.ports[0]}`, container: redis } : { redisUrl: redisUrl ?? '' },
    postgres ? { postgresUrl: postgres.url, container: postgres } : { postgresUrl: postgresUrl ?? '' },
  )
}

type Container = Pick<RedisServers, 'kill' | 'start' | 'stop'>

function engines(
  redis: { readonly redisUrl: string; readonly container?: Container },
  postgres: { readonly postgresUrl: string; readonly container?: Container },
): Engines {
  const containers = [redis.container, postgres.container].filter((container) => container !== undefined)
  const forget = containers.map((container) => onExit(() => container.kill()))
  const databases: string[] = []
  return {
    redisUrl: redis.redisUrl,
    freshDatabase: async () => {
      const name = `concurrency_kit_demo_${randomUUID().replaceAll('-', '')}`
      await onPostgres(postgres.postgresUrl, `CREATE DATABASE ${name}`)
      databases.push(name)
      const url = new URL(postgres.postgresUrl)
      url.pathname = `/${name}`
      return url.href
    },
    restartRedis: restart(redis.container),
    restartPostgres: restart(postgres.container),
    close: async () => {
      if (postgres.container === undefined) {
        for (const name of databases) await onPostgres(postgres.postgresUrl, `DROP DATABASE ${name} WITH (FORCE)`)
      }
      for (const undo of forget) undo()
      await Promise.all(containers.map((container) => container.stop()))
    },
  }
}

function restart(container: Container | undefined): (() => Promise<void>) | undefined {
  if (container === undefined) return undefined
  return () => {
    container.kill()
    return container.start()
  }
}

async function onPostgres(connectionString: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
