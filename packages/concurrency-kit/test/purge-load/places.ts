import type { Knex } from 'knex'
import pg from 'pg'
import { createTables, knexIdempotencyStore, knexVersionedStore } from '../../src/entries/knex.ts'
import { pgIdempotencyStore, pgVersionedStore } from '../../src/entries/pg.ts'
import type { TransactionalIdempotencyStore } from '../../src/idempotency/idempotency-store.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { optimisticUpdate } from '../../src/optimistic/optimistic-update.ts'
import type { TransactableVersionedStore } from '../../src/optimistic/versioned-store.ts'
import { knexOn } from '../support/postgres-knex.ts'
import { sqliteFile } from '../support/sqlite.ts'

const USERS = 100

interface Account {
  readonly id: number
  readonly balance: number
}

interface Counts {
  readonly expired: number
  /** Of the records that were filled in. */
  readonly live: number
  /** Records of charges. */
  readonly charged: number
  readonly balances: number
}

export interface Place {
  // biome-ignore lint/suspicious/noExplicitAny: whichever client
  readonly store: TransactionalIdempotencyStore<any>
  fill(records: { readonly expired: number; readonly live: number }, progress: (text: string) => void): Promise<void>
  /** Does what filling the table has left to be done, as in a table in use it is. */
  settle(): Promise<void>
  charge(n: number, key: string): Promise<unknown>
  counts(): Promise<Counts>
  close(): Promise<void>
}

/** On Postgres through `pg`, as a server of few connections has it. */
export async function placeOnPostgres(url: string): Promise<Place> {
  const knex = knexOn(url, { max: 1 })
  const pool = new pg.Pool({ connectionString: url, max: 10, pipeline: true })
  pool.on('error', () => {})
  const sql = async (text: string) => (await knex.raw(text)).rows
  await createTables(knex, { idempotency: true })
  return {
    ...sameOnBoth(pgIdempotencyStore({ pool }), pgVersionedStore<Account>({ pool, table: 'accounts' })),
    async fill(records, progress) {
      await createAccounts(knex)
      const insert = (key: string, expiry: string) => (from: number, to: number) =>
        sql(`INSERT INTO idempotency_records (idempotency_key, fingerprint, status, outcome, result, created_at, expires_at)
          SELECT '${key} ' || i, md5(i::text) || md5(i::text), 'completed', 'result', ${RESULT}, now(), ${expiry}
          FROM generate_series(${from}, ${to}) i`)
      await inParts(records.expired, insert('old', "now() - i * interval '1 ms'"), progress)
      await inParts(records.live, insert('live', "now() + interval '1 day' + i * interval '1 ms'"), progress)
    },
    async settle() {
      // A container may have no shared memory for parallel workers.
      await sql('VACUUM (PARALLEL 0, ANALYZE) idempotency_records')
      await sql('CHECKPOINT')
    },
    counts: () => countsBy(sql, 'clock_timestamp()'),
    async close() {
      await Promise.all([knex.destroy(), pool.end()])
    },
  }
}

/** On a SQLite file of its own. */
export async function placeOnSqlite(): Promise<Place> {
  const file = sqliteFile()
  const knex = file.connect()
  const sql = (text: string) => knex.raw(text) as unknown as Promise<Record<string, unknown>[]>
  await createTables(knex, { idempotency: true })
  return {
    ...sameOnBoth(knexIdempotencyStore({ knex }), knexVersionedStore<Account>({ knex, table: 'accounts' })),
    async fill(records, progress) {
      await createAccounts(knex)
      const at = (seconds: string) => `strftime('%Y-%m-%d %H:%M:%f', 'now', (${seconds}) || ' seconds')`
      const insert = (key: string, seconds: string) => (from: number, to: number) =>
        sql(`WITH RECURSIVE n (i) AS (SELECT ${from} UNION ALL SELECT i + 1 FROM n WHERE i < ${to})
          INSERT INTO idempotency_records (idempotency_key, fingerprint, status, outcome, result, created_at, expires_at)
          SELECT '${key} ' || i, hex(randomblob(32)), 'completed', 'result', ${RESULT}, ${at('0')}, ${at(seconds)} FROM n`)
      await inParts(records.expired, insert('old', '-1 - i / 1000.0'), progress)
      await inParts(records.live, insert('live', '86400 + i / 1000.0'), progress)
    },
    settle: async () => {},
    counts: () => countsBy(sql, "strftime('%Y-%m-%d %H:%M:%f', 'now')"),
    close: () => file.close(),
  }
}

const RESULT = `'{"userId":1,"balance":110000,"chargedAmount":10000,"chargedAt":"2026-11-26T22:00:00.123Z"}'`
const PART = 200_000

/** A charge as in the README, its lock apart: the two guards that are in the database. */
function sameOnBoth<Transaction>(
  store: TransactionalIdempotencyStore<Transaction>,
  accounts: TransactableVersionedStore<number, Account, number, Transaction>,
): Pick<Place, 'store' | 'charge'> {
  return {
    store,
    charge: (n, key) =>
      withIdempotency({ store, key }, ({ transaction }) =>
        optimisticUpdate({ store: accounts.within(transaction), id: n % USERS }, (account) => ({
          ...account,
          balance: account.balance + 1,
        })),
      ),
  }
}

async function createAccounts(knex: Knex): Promise<void> {
  await knex.raw('CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL, version INTEGER NOT NULL)')
  for (let id = 0; id < USERS; id += 1) await knex.raw(`INSERT INTO accounts VALUES (${id}, 0, 1)`)
}

async function inParts(
  count: number,
  insert: (from: number, to: number) => Promise<unknown>,
  progress: (text: string) => void,
): Promise<void> {
  for (let from = 0; from < count; from += PART) {
    await insert(from, Math.min(count, from + PART) - 1)
    progress(`${Math.min(count, from + PART)} of ${count} filled in`)
  }
}

async function countsBy(sql: (text: string) => Promise<Record<string, unknown>[]>, now: string): Promise<Counts> {
  const one = async (text: string) => Number((await sql(`SELECT ${text}`))[0]?.['n'])
  const records = (where: string) => one(`count(*) AS n FROM idempotency_records WHERE ${where}`)
  return {
    expired: await records(`expires_at <= ${now}`),
    live: await records(`idempotency_key LIKE 'live %'`),
    charged: await records(`expires_at > ${now} AND idempotency_key NOT LIKE 'live %'`),
    balances: await one('sum(balance) AS n FROM accounts'),
  }
}
