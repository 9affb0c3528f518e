import createKnex, { type Knex } from 'knex'
import pg from 'pg'
import { createTables } from '../../src/entries/knex.ts'
import { postgresDatabase } from './engines.ts'
import { FaultyLine } from './faulty-line.ts'

export interface TestDatabase {
  readonly url: string
  /** A connection that nothing goes wrong with, for what the test itself asks. */
  readonly sql: Knex
  /** A pool of `pg`, as a process has it. */
  pool(options?: pg.PoolConfig): pg.Pool
  /** A Knex instance, as a process has it. */
  knex(options?: { readonly connectionString?: string; readonly max?: number }): Knex
  /** A line to the server on which things go wrong, and the URL that leads over it. */
  line(): Promise<{ readonly line: FaultyLine; readonly url: string }>
  count(table: string): Promise<number>
  close(): Promise<void>
}

/** A fresh database with the tables of records, `effects (id, note unique)` and `accounts (id, balance, version)`. */
export async function testDatabase(): Promise<TestDatabase> {
  const { url, drop } = await postgresDatabase()
  const closing: (() => Promise<unknown>)[] = []
  const knex: TestDatabase['knex'] = ({ connectionString = url, max = 10 } = {}) => {
    const instance = createKnex({ client: 'pg', connection: connectionString, pool: { min: 0, max } })
    closing.push(() => instance.destroy())
    return instance
  }
  const sql = knex()
  await createTables(sql, { idempotency: true, leasedIdempotency: true })
  await sql.raw(`CREATE TABLE effects (id bigserial PRIMARY KEY, note text UNIQUE);
    CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL, version bigint NOT NULL);
    INSERT INTO accounts VALUES (1, 0, 1)`)
  return {
    url,
    sql,
    knex,
    pool(options = {}) {
      const pool = new pg.Pool({ connectionString: url, ...options })
      pool.on('error', () => {})
      closing.push(() => pool.end())
      return pool
    },
    async line() {
      const line = await FaultyLine.to(Number(new URL(url).port))
      closing.push(() => line.close())
      const faulty = new URL(url)
      faulty.port = String(line.port)
      faulty.hostname = '127.0.0.1'
      return { line, url: faulty.href }
    },
    async count(table) {
      const { rows } = await sql.raw(`SELECT count(*)::int AS n FROM ${table}`)
      return rows[0].n
    },
    async close() {
      for (const close of closing.reverse()) await close()
      await drop()
    },
  }
}
