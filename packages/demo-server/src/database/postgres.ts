import { StoreError } from 'concurrency-kit'
import { pgIdempotencyStore, pgVersionedStore } from 'concurrency-kit/pg'
import pg, { type Pool, type PoolClient, type QueryResultRow } from 'pg'
import type { Logger } from 'pino'
import type { Switches } from '../config.ts'
import { type Account, type Accounts, lastWriteWins, type UncheckedStatements } from './accounts.ts'
import type { Database } from './database.ts'
import { prepareSchema } from './postgres-schema.ts'
import { recordTable } from './records.ts'

export interface PostgresOptions {
  readonly url: string
  readonly poolSize: number
}

/** Longest time to connect, and for a connection of the pool to be free, in ms. */
const CONNECT_MS = 5_000
/** Longest time for one of the server's own statements, in ms. */
const STATEMENT_MS = 2_000

export function openPostgres(
  options: PostgresOptions,
  { versionCheck }: Pick<Switches, 'versionCheck'>,
  log: Logger,
): Database<PoolClient> {
  const pool = openPool(options, log)
  return {
    records: pgIdempotencyStore({ pool, groupCommit: true, ...recordTable }),
    accounts: openAccounts(pool, versionCheck),
    prepareSchema: (users) => prepareSchema(pool, users),
    ready: async () => {
      await ask(pool, 'ready', 'SELECT 1 FROM users LIMIT 1')
    },
    close: () => pool.end(),
  }
}

function openPool({ url, poolSize }: PostgresOptions, log: Logger): Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    // The record's store then sends BEGIN with the claim, and COMMIT with the result: two round trips less a charge.
    pipeline: true,
    keepAliveInitialDelayMillis: 10_000,
    application_name: 'demo-server',
    types: { getTypeParser: wholeNumbers },
  })
  // A connection that breaks is none of a request's that does not use it; without a listener it would end the process.
  const report = (error: Error) => log.warn(`A connection to Postgres broke: ${error.message}`)
  pool.on('error', report)
  pool.on('connect', (client) => client.on('error', report))
  return pool
}

/** A `bigint` of these tables is below 2^53: the balance by its check, the others by what they count. */
const wholeNumbers: typeof pg.types.getTypeParser = (oid: number, format?: 'text' | 'binary') =>
  oid === pg.types.builtins.INT8 && format !== 'binary' ? Number : pg.types.getTypeParser(oid, format as 'text')

function openAccounts(pool: Pool, versionCheck: boolean): Accounts<PoolClient> {
  const checked = pgVersionedStore<Account>({ pool, table: 'users' })
  const alone = versionCheck ? checked : lastWriteWins(unchecked(pool), false)
  return {
    within(transaction) {
      if (transaction === undefined) return alone
      return versionCheck ? checked.within(transaction) : lastWriteWins(unchecked(transaction), true)
    },
    async balanceOf(userId) {
      const text = 'SELECT balance FROM users WHERE id = $1'
      const [row] = await ask<Account>(pool, 'balance', text, [userId])
      return row?.balance
    },
  }
}

function unchecked(client: Pool | PoolClient): UncheckedStatements {
  return {
    read: async (id) => {
      const text = 'SELECT id, balance, version FROM users WHERE id = $1'
      return (await client.query(text, [id])).rows[0]
    },
    write: async ({ id, balance, version }) => {
      const text = 'UPDATE users SET balance = $2, version = $3 WHERE id = $1'
      await client.query(text, [id, balance, version])
    },
  }
}

/**
 * Runs a statement outside a transaction, with a deadline; `pg` drops the connection of a statement that is late.
 *
 * Not prepared, because a prepared statement would fail after its table changed.
 */
async function ask<Row extends QueryResultRow>(
  pool: Pool,
  name: string,
  text: string,
  values: unknown[] = [],
): Promise<Row[]> {
  try {
    const bounded = { text, values, query_timeout: STATEMENT_MS }
    return (await pool.query<Row>(bounded)).rows
  } catch (cause) {
    throw new StoreError(`${name} of Postgres failed`, { cause })
  }
}
