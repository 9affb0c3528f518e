import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { dockerAnswers, startPostgres, startRedis } from '../../concurrency-kit/test/support/containers.ts'
import { startServer } from '../src/demo/server-process.ts'

export interface BenchEngines {
  /** Settings of the one Redis, and of a database of its own, with the demo server's tables and users. */
  fresh(): Promise<{ readonly REDIS_URL: string; readonly DATABASE_URL: string }>
  close(): Promise<void>
}

export function enginesAreThere(): boolean {
  const { REDIS_URL, DATABASE_URL } = process.env
  return Boolean(REDIS_URL && DATABASE_URL) || dockerAnswers()
}

/** Redis and Postgres of `REDIS_URL` and `DATABASE_URL`, or in containers. */
export async function openEngines(): Promise<BenchEngines> {
  const { REDIS_URL, DATABASE_URL } = process.env
  const redis = REDIS_URL ? undefined : await startRedis()
  const postgres = DATABASE_URL ? undefined : await startPostgres()
  const redisUrl = REDIS_URL || `redis://127.0.0.1:${redis?.ports[0]}`
  const admin = new pg.Pool({ connectionString: DATABASE_URL || postgres?.url, max: 1 })
  const names: string[] = []
  return {
    async fresh() {
      const name = `bench_${randomUUID().replaceAll('-', '')}`
      await admin.query(`CREATE DATABASE ${name}`)
      names.push(name)
      const url = new URL(DATABASE_URL || (postgres?.url ?? ''))
      url.pathname = `/${name}`
      const settings = { REDIS_URL: redisUrl, DATABASE_URL: url.href }
      const server = await startServer(settings)
      await server.stop()
      return settings
    },
    async close() {
      for (const name of names) await admin.query(`DROP DATABASE ${name} WITH (FORCE)`)
      await admin.end()
      await redis?.stop()
      await postgres?.stop()
    },
  }
}
