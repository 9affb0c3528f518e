import { type KnexStatements, rowsOf } from '../../../knex/knex-client.ts'
import { quoted } from '../../../sql/names.ts'
import { postgres } from '../../../sql/postgres.ts'
import type { LeaseTable } from './lease-table.ts'

/**
 * How many tokens a step of the sequence is worth, and so the most that a grant brings. Steps follow the clock in
 * microseconds, so this many tokens each last until the year 2255.
 */
const TOKENS_A_STEP = 1024

/** One statement each, and no transaction of its own. Releases are announced on {@link channelOf}. */
export function postgresLeases(knex: KnexStatements, table: string): LeaseTable {
  const sql = statements(table)
  const matches = async (statement: string, bindings: readonly unknown[]) =>
    (await rowsOf(knex, statement, bindings)).length === 1
  return {
    async acquire({ key, holder, ttlMs, tokens }) {
      const [row] = await rowsOf(knex, sql.acquire, [key, holder, ttlMs, key])
      if (typeof row?.['token'] === 'string') {
        return { acquired: true, firstToken: BigInt(row['token']), tokens: Math.min(tokens, TOKENS_A_STEP) }
      }
      // A lease that began while this statement ran is not seen by it.
      return row === undefined ? { acquired: false } : { acquired: false, freeInMs: Math.max(1, Number(row['ends'])) }
    },
    extend: (key, holder, ttlMs) => matches(sql.extend, [ttlMs, key, holder]),
    release: (key, holder) => matches(sql.release, [key, holder, channelOf(table)]),
  }
}

/** Where the releases of a table are announced, with the key; Postgres takes 63 bytes. */
export function channelOf(table: string): string {
  return `${table}_released`.slice(0, 63)
}

/** Column names of one word: an instance of Knex that renames what it reads leaves them alone. */
function statements(table: string) {
  const { nowMs, integer } = postgres
  const locks = quoted('table', table)
  const sequence = `'${quoted('table', `${table}_tokens`)}'`
  return {
    // Tokens follow the clock, also after the sequence was lost or set back (a failover, an old backup), and the sequence
    // goes on by itself where the clock was. As text: a driver may read 64 bits as a number.
    acquire: `WITH granted AS (
        INSERT INTO ${locks} AS lease (key, holder, ends_at_ms) VALUES (?, ?, ${nowMs} + ${integer})
        ON CONFLICT (key) DO UPDATE SET holder = excluded.holder, ends_at_ms = excluded.ends_at_ms
        WHERE lease.holder = excluded.holder OR lease.ends_at_ms <= ${nowMs} RETURNING 1
      ), steps AS MATERIALIZED (
        SELECT nextval(${sequence}) AS next, CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint) AS clock
        FROM granted
      )
      SELECT CAST((CASE WHEN clock > next THEN setval(${sequence}, clock) ELSE next END) * ${TOKENS_A_STEP} AS text) AS token,
        NULL AS ends
      FROM steps
      UNION ALL
      SELECT NULL, CAST(ends_at_ms - ${nowMs} AS text) FROM ${locks} WHERE key = ? AND NOT EXISTS (SELECT FROM granted)`,
    extend: `UPDATE ${locks} SET ends_at_ms = ${nowMs} + ${integer} WHERE key = ? AND holder = ? AND ends_at_ms > ${nowMs} RETURNING 1`,
    // Not waited for on the disk: a release that a crash takes back ends with its TTL. And commits that announce
    // something come one after the other.
    release: `WITH released AS (DELETE FROM ${locks} WHERE key = ? AND holder = ? RETURNING key)
      SELECT set_config('synchronous_commit', 'off', true), pg_notify(?, key) FROM released`,
  }
}
