import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import createKnex, { type Knex } from 'knex'

export interface SqliteOptions {
  /** @defaultValue 'WAL' */
  readonly journal?: 'WAL' | 'DELETE'
  /** Further pragmas, such as `foreign_keys = ON`. */
  readonly pragmas?: readonly string[]
  /** Whether integers arrive as BigInt. @defaultValue false */
  readonly safeIntegers?: boolean
  /** What the application sets its own Knex instance to. */
  readonly settings?: Knex.Config
}

export interface SqliteFile {
  readonly file: string
  /** Another connection of its own to the file, as another process would have. */
  connect(options?: SqliteOptions): Knex
  close(): Promise<void>
}

/** A database file in a folder of its own, gone when closed. */
export function sqliteFile(): SqliteFile {
  const folder = mkdtempSync(path.join(tmpdir(), 'concurrency-kit-'))
  const file = path.join(folder, 'test.db')
  const connections: Knex[] = []
  return {
    file,
    connect(options) {
      const knex = connectTo(file, options)
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
export function connectTo(filename: string, options: SqliteOptions = {}): Knex {
  const { journal = 'WAL', pragmas = [], safeIntegers = false, settings = {} } = options
  return createKnex({
    client: 'better-sqlite3',
    connection: { filename, options: { safeIntegers } } as Knex.Sqlite3ConnectionConfig,
    ...settings,
    useNullAsDefault: true,
    pool: {
      min: 1,
      max: 1,
      afterCreate(connection: { pragma(text: string): unknown }, done: (error: null, connection: unknown) => void) {
        for (const pragma of ['busy_timeout = 0', `journal_mode = ${journal}`, ...pragmas]) connection.pragma(pragma)
        done(null, connection)
      },
    },
  })
}
