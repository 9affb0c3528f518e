import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import createKnex, { type Knex } from 'knex'

export interface SqliteFile {
  readonly file: string
  /** Another connection of its own to the file, as another process would have. */
  connect(): Knex
  close(): Promise<void>
}

/** A database file in a folder of its own, gone when closed. */
export function sqliteFile(): SqliteFile {
  const folder = mkdtempSync(path.join(tmpdir(), 'concurrency-kit-'))
  const file = path.join(folder, 'test.db')
  const connections: Knex[] = []
  return {
    file,
    connect() {
      const knex = connectTo(file)
      connections.push(knex)
      return knex
    },
    async close() {
      for (const knex of connections) await knex.destroy()
      rmSync(folder, { recursive: true })
    },
  }
}

/** As the documentation tells users to open a file: one connection, write-ahead log, no busy time-out. */
export function connectTo(filename: string): Knex {
  return createKnex({
    client: 'better-sqlite3',
    connection: { filename },
    useNullAsDefault: true,
    pool: {
      min: 1,
      max: 1,
      afterCreate(connection: { pragma(text: string): unknown }, done: (error: null, connection: unknown) => void) {
        connection.pragma('busy_timeout = 0')
        connection.pragma('journal_mode = WAL')
        done(null, connection)
      },
    },
  })
}
