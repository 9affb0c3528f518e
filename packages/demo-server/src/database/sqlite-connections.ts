import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Database as SqliteConnection, Statement } from 'better-sqlite3'
import createKnex, { type Knex } from 'knex'

export interface SqliteConnections {
  /** The one connection that writes: transactions queue for it. */
  readonly writer: Knex
  /** Sees what is committed, and never waits for a transaction (write-ahead log). */
  readonly reader: Knex
  close(): Promise<void>
}

/** Opens the file, and makes it and its folder where they are missing. */
export async function openConnections(file: string): Promise<SqliteConnections> {
  await mkdir(dirname(file), { recursive: true })
  const writer = connect(file, ['journal_mode = WAL'])
  // Opens the file now: it must be in write-ahead mode before the reader comes.
  await writer.raw('SELECT 1')
  const reader = connect(file, ['query_only = ON'])
  return {
    writer,
    reader,
    close: async () => {
      await reader.destroy()
      await writer.destroy()
    },
  }
}

function connect(filename: string, pragmas: readonly string[]): Knex {
  return createKnex({
    client: 'better-sqlite3',
    connection: { filename },
    useNullAsDefault: true,
    acquireConnectionTimeout: 10_000,
    pool: {
      min: 1,
      max: 1,
      afterCreate: (connection: SqliteConnection, done: (error: unknown, connection: SqliteConnection) => void) => {
        // A commit is on the disk before it is answered. Waiting for a lock of SQLite's would stop the event loop:
        // the kit waits instead.
        for (const pragma of [...pragmas, 'synchronous = FULL', 'busy_timeout = 0']) connection.pragma(pragma)
        keepStatements(connection)
        done(undefined, connection)
      },
    },
  })
}

/** Knex prepares a statement each time that it sends it, which costs more than to run it; this server has but a few. */
function keepStatements(connection: SqliteConnection): void {
  const kept = new Map<string, Statement>()
  const prepare = connection.prepare.bind(connection)
  const preparedOnce = (sql: string): Statement => {
    const statement = kept.get(sql) ?? prepare(sql)
    kept.set(sql, statement)
    return statement
  }
  Object.assign(connection, { prepare: preparedOnce })
}
