// Where the idempotency records are: `postgres://…`, `redis://…`, or the path of a SQLite file.
import type { LeasedIdempotencyStore } from 'concurrency-kit'
import { ioredisIdempotencyStore } from 'concurrency-kit/ioredis'
import { createTables, knexLeasedIdempotencyStore } from 'concurrency-kit/knex'
import { Redis } from 'ioredis'
import createKnex from 'knex'

export interface Records {
  readonly store: LeasedIdempotencyStore
  close(): Promise<unknown>
}

export async function openRecords(url: string): Promise<Records> {
  if (url.startsWith('redis:')) {
    const client = new Redis(url, { maxRetriesPerRequest: 1, socketTimeout: 5_000 }).on('error', console.error)
    return { store: ioredisIdempotencyStore({ client }), close: async () => client.disconnect() }
  }
  const knex = url.startsWith('postgres:') ? createKnex({ client: 'pg', connection: url }) : createKnex(sqlite(url))
  await createTables(knex, { leasedIdempotency: true })
  return { store: knexLeasedIdempotencyStore({ knex }), close: () => knex.destroy() }
}

function sqlite(filename: string) {
  const afterCreate = (connection: { pragma(text: string): unknown }, done: (error: null, to: unknown) => void) => {
    for (const pragma of ['busy_timeout = 0', 'journal_mode = WAL', 'synchronous = FULL']) connection.pragma(pragma)
    done(null, connection)
  }
  const pool = { min: 1, max: 1, afterCreate }
  return { client: 'better-sqlite3', connection: { filename }, useNullAsDefault: true, pool }
}
