import { type KnexStatements, rowsOf } from '../../../knex/knex-client.ts'
import { quoted } from '../../../sql/names.ts'
import { postgres } from '../../../sql/postgres.ts'
import { PLACE_MS, TURN, TURN_MS } from '../../places.ts'
import { type LeaseTable, PROLONG_MS } from './lease-table.ts'

/**
 * How many tokens a step of the sequence is worth, and so the most that a grant brings. Steps follow the clock in
 * microseconds, so this many tokens each last until the year 2255.
 */
const TOKENS_A_STEP = 1024

/** One statement each, and no transaction of its own. Releases are announced on {@link channelOf}. */
export function postgresLeases(knex: KnexStatements, table: string): LeaseTable {
  const sql = statements(table)
  return {
    async acquire({ key, holder, ttlMs, tokens }, waiter) {
      const bindings = [key, holder, ttlMs, TURN + waiter, key, waiter, waiter, key, waiter, waiter, key]
      const [row] = await rowsOf(knex, sql.acquire, bindings)
      if (typeof row?.['token'] === 'string') {
        return { acquired: true, firstToken: BigInt(row['token']), tokens: Math.min(tokens, TOKENS_A_STEP) }
      }
      // A lease that began while this statement ran is not seen by it.
      if (row === undefined) return { acquired: false }
      return { acquired: false, freeInMs: Math.max(1, Number(row['ends'])), ahead: Number(row['ahead']) }
    },
    extend: async (key, holder, ttlMs) => (await rowsOf(knex, sql.extend, [ttlMs, key, holder])).length === 1,
    async release(key, holder, waiter) {
      const held = [key, holder, TURN + waiter]
      const bindings = [key, waiter, ...held, ...held, key, key, waiter, channelOf(table), key, key, holder]
      const [row] = await rowsOf(knex, sql.release, bindings)
      return row?.['held'] === true
    },
  }
}

/** Where the releases of a table are announced: whose turn it is, who comes after, and the key; Postgres takes 63 bytes. */
export function channelOf(table: string): string {
  return `${table}_released`.slice(0, 63)
}

/** Column names of one word: an instance of Knex that renames what it reads leaves them alone. */
function statements(table: string) {
  const { nowMs, integer } = postgres
  const locks = quoted('table', table)
  const waiters = quoted('table', `${table}_waiters`)
  const sequence = `'${quoted('table', `${table}_tokens`)}'`
  // What a crash takes back of it ends by itself.
  const notOnDisk = `set_config('synchronous_commit', 'off', true)`
  return {
    // Tokens follow the clock, also after the sequence was lost or set back (a failover, an old backup), and the sequence
    // goes on by itself where the clock was. As text: a driver may read 64 bits as a number.
    acquire: `WITH granted AS (
        INSERT INTO ${locks} AS lease (key, holder, ends_at_ms) VALUES (?, ?, ${nowMs} + ${integer})
        ON CONFLICT (key) DO UPDATE SET holder = excluded.holder, ends_at_ms = excluded.ends_at_ms
        WHERE lease.holder IN (excluded.holder, ?) OR lease.ends_at_ms <= ${nowMs} RETURNING 1
      ), steps AS MATERIALIZED (
        SELECT nextval(${sequence}) AS next, CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint) AS clock
        FROM granted
      ), queued AS (
        INSERT INTO ${waiters} AS place (key, waiter, since_ms, ends_at_ms)
        SELECT ?, ?, ${nowMs}, ${nowMs} + ${PLACE_MS} WHERE ? <> '' AND NOT EXISTS (SELECT FROM granted)
        ON CONFLICT (key, waiter) DO UPDATE SET ends_at_ms = excluded.ends_at_ms
        WHERE place.ends_at_ms < ${nowMs} + ${PROLONG_MS}
      ), own AS (SELECT since_ms FROM ${waiters} WHERE key = ? AND waiter = ?)
      SELECT CAST((CASE WHEN clock > next THEN setval(${sequence}, clock) ELSE next END) * ${TOKENS_A_STEP} AS text) AS token,
        NULL AS ends, NULL AS ahead, NULL AS commit
      FROM steps
      UNION ALL
      SELECT NULL, CAST(ends_at_ms - ${nowMs} AS text), (
        SELECT CAST(count(*) AS text) FROM ${waiters} AS other WHERE other.key = lease.key AND other.waiter <> ?
        AND ends_at_ms > ${nowMs} + ${TURN_MS} AND since_ms <= coalesce((SELECT since_ms FROM own), since_ms)
      ), ${notOnDisk}
      FROM ${locks} AS lease WHERE key = ? AND NOT EXISTS (SELECT FROM granted)`,
    extend: `UPDATE ${locks} SET ends_at_ms = ${nowMs} + ${integer} WHERE key = ? AND holder = ? AND ends_at_ms > ${nowMs} RETURNING 1`,
    // Not waited for on the disk: a release that a crash takes back ends with its TTL. And commits that announce
    // something come one after the other. Rows are locked in the order that acquire has: the lease, then places.
    release: `WITH queue AS MATERIALIZED (
        SELECT array_agg(waiter ORDER BY since_ms, waiter) AS line FROM ${waiters}
        WHERE key = ? AND waiter <> ? AND ends_at_ms > ${nowMs}
      ), kept AS (
        UPDATE ${locks} SET holder = '${TURN}' || line[1], ends_at_ms = ${nowMs} + ${TURN_MS} FROM queue
        WHERE key = ? AND holder IN (?, ?) AND line IS NOT NULL RETURNING 1
      ), freed AS (
        DELETE FROM ${locks} USING queue WHERE key = ? AND holder IN (?, ?) AND line IS NULL RETURNING 1
      ), turned AS MATERIALIZED (SELECT 1 FROM kept UNION ALL SELECT 1 FROM freed
      ), called AS (
        UPDATE ${waiters} SET ends_at_ms = ${nowMs} + ${TURN_MS} FROM queue
        WHERE key = ? AND waiter = line[1] AND EXISTS (SELECT FROM turned)
      ), gone AS (
        DELETE FROM ${waiters} USING queue
        WHERE key = ? AND (waiter = ? OR line IS NULL OR ends_at_ms <= ${nowMs} - ${PLACE_MS})
      )
      SELECT ${notOnDisk}, pg_notify(?, coalesce(line[1], '') || ' ' || coalesce(line[2], '') || ' ' || ?),
        EXISTS (SELECT FROM ${locks} WHERE key = ? AND holder = ?) AS held
      FROM queue WHERE EXISTS (SELECT FROM turned)`,
  }
}
