import { rmSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { type Ledger, sqliteLedger } from '../../src/demo/ledger.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** The stores behind a server, fresh and empty, and a way to look at them and to hold charges up. */
export interface Backing {
  /** `DATABASE_URL` and `REDIS_URL`. */
  readonly env: Readonly<Record<string, string>>
  readonly ledger: Ledger
  /** Runs one statement outside the server, and gives its rows. */
  sql<Row>(statement: string): Promise<Row[]>
  /** Does as another process would that is in the middle of writing: charges cannot commit. */
  occupy(): Promise<{ free(): Promise<void> }>
  discard(): Promise<void>
}

export type OpenBacking = () => Promise<Backing>

/** An SQLite file in a folder of its own, and locks in the server's process. */
export const embedded = async (): Promise<Backing> => {
  const folder = temporaryFolder()
  const file = join(folder, 'demo.db')
  return {
    env: { DATABASE_URL: `sqlite:${file}` },
    ledger: sqliteLedger(file),
    sql: async <Row>(statement: string) => {
      const database = new Database(file)
      const prepared = database.prepare<[], Row>(statement)
      try {
        if (prepared.reader) return prepared.all()
        prepared.run()
        return []
      } finally {
        database.close()
      }
    },
    occupy: async () => occupySqlite(file),
    discard: async () => rmSync(folder, { recursive: true }),
  }
}

/** Takes SQLite's write lock as another process would. */
export function occupySqlite(file: string): { free(): Promise<void> } {
  const database = new Database(file)
  database.exec('BEGIN IMMEDIATE')
  return {
    free: async () => {
      database.exec('ROLLBACK')
      database.close()
    },
  }
}

/** What another server has open already, and will discard. */
export function shared(backing: Backing): OpenBacking {
  return async () => ({ ...backing, discard: async () => {} })
}
