import { randomUUID } from 'node:crypto'
import { dockerAnswers, startPostgres, startRedis } from '../test/support/containers.ts'
import { knexOn } from '../test/support/postgres-knex.ts'

/** A server to measure on: the caller's, or one in a container. */
export interface BenchServer {
  readonly url: string
  close(): Promise<void>
}

/** The Redis of `REDIS_URL`, or one in a container; undefined where there is neither that nor Docker. */
export async function benchRedis(): Promise<BenchServer | undefined> {
  const { REDIS_URL } = process.env
  if (REDIS_URL) return { url: REDIS_URL, close: async () => {} }
  if (!dockerAnswers()) return undefined
  const { ports, stop } = await startRedis()
  return { url: `redis://127.0.0.1:${ports[0]}`, close: stop }
}

/** A database of its own, on the Postgres of `DATABASE_URL` or in a container; undefined where there is neither that nor Docker. */
export async function benchDatabase(): Promise<BenchServer | undefined> {
  const { DATABASE_URL } = process.env
  if (DATABASE_URL) return ownDatabase(DATABASE_URL)
  if (!dockerAnswers()) return undefined
  const { url, stop } = await startPostgres()
  return { url, close: stop }
}

async function ownDatabase(server: string): Promise<BenchServer> {
  const name = `bench_${randomUUID().replaceAll('-', '')}`
  const onServer = async (statement: string) => {
    const knex = knexOn(server, { max: 1 })
    await knex.raw(statement).finally(() => knex.destroy())
  }
  await onServer(`CREATE DATABASE ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return { url: url.href, close: () => onServer(`DROP DATABASE ${name} WITH (FORCE)`) }
}
