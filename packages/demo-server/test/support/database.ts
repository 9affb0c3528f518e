import Database from 'better-sqlite3'

/** Takes SQLite's write lock as another process would, so that charges cannot commit. */
export function occupy(file: string): { free(): void } {
  const database = new Database(file)
  database.exec('BEGIN IMMEDIATE')
  return {
    free: () => {
      database.exec('ROLLBACK')
      database.close()
    },
  }
}
