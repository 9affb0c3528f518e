import type { Database, Row } from '../../../sql/database.ts'
import { quotedTable } from '../../../sql/names.ts'
import { postgres } from '../../../sql/postgres.ts'
import { PLACE_MS, TURN, TURN_MS } from '../../places.ts'
import { type LeaseTable, PROLONG_MS } from './lease-table.ts'

/**
 * How many tokens a step of the sequence is worth, and so the most that a grant brings. Steps follow the clock in
 * microseconds, so this many tokens each last until the year 2255.
 */
const TOKENS_A_STEP = 1024

/**
 * One statement each, and no transaction of its own; two where the first who releases finds others waiting. Each is planned
 * each time, so what nobody needs is not in it. Releases are announced on {@link channelOf}.
 */
export function postgresLeases(database: Pick<Database<unknown>, 'alone'>, table: string): LeaseTable {
  const sql = statements(table)
  const rowsOf = (statement: string, bindings: readonly unknown[]): Promise<Row[]> =>
    database.alone('a statement on leases', { sql: statement, bindings })
  const matches = async (statement: string, bindings: readonly unknown[]) =>
    (await rowsOf(statement, bindings)).length === 1
  const leases: LeaseTable = {
    async acquire({ key, holder, ttlMs, tokens }, waiter) {
      const bindings = [key, holder, ttlMs, TURN + waiter]
      const [row] =
        waiter === ''
          ? await rowsOf(sql.acquire, [...bindings, key])
          : await rowsOf(sql.acquireOrQueue, [...bindings, key, waiter, key, waiter, waiter, key])
      if (typeof row?.['token'] === 'string') {
        return { acquired: true, firstToken: BigInt(row['token']), tokens: Math.min(tokens, TOKENS_A_STEP) }
      }
      // A lease that began while this statement ran is not seen by it.
      if (row === undefined) return { acquired: false }
      return { acquired: false, freeInMs: Math.max(1, Number(row['ends'])), ahead: Number(row['ahead']) }
    },
    extend: (key, holder, ttlMs) => matches(sql.extend, [ttlMs, key, holder]),
    async release(key, holder, waiter, others) {
      const channel = channelOf(table)
      if (!others && (await matches(sql.releaseUnwanted, [key, holder, key, channel]))) return true
      const held = [key, holder, TURN + waiter]
      const bindings = [key, waiter, ...held, ...held, key, key, waiter, channel, key, key, holder]
      const [row] = await rowsOf(sql.release, bindings)
      // Whoever was first has left meanwhile, and could not see that it was called.
      if (row?.['missed'] === 'true') await leases.leave(key, String(row['next']))
      return row?.['held'] === 'true'
    },
    async leave(key, waiter) {
      const [place] = await rowsOf(sql.leave, [key, waiter])
      // The row tells of a call that this statement would not have seen by itself.
      if (place?.['uncalled'] !== 'true') await leases.release(key, TURN + waiter, waiter, true)
    },
  }
  return leases
}

/** Where the releases of a table are announced: whose turn it is, who comes after, and the key; Postgres takes 63 bytes. */
export function channelOf(table: string): string {
  return `${table}_released`.slice(0, 63)
}

function statements(table: string) {
  const { nowMs, integer } = postgres
  const locks = quotedTable('table', table)
  const waiters = quotedTable('table', `${table}_waiters`)
  const sequence = `'${quotedTable('table', `${table}_tokens`)}'`
  // What a crash takes back of it ends by itself.
  const notOnDisk = `set_config('synchronous_commit', 'off', true)`
  const announced = "pg_notify(?, coalesce(line[1], '') || ' ' || coalesce(line[2], '') || ' ' || ?)"
  // Tokens follow the clock, also after the sequence was lost or set back (a failover, an old backup), and the sequence
  // goes on by itself where the clock was. As text: a driver may read 64 bits as a number.
  const acquire = (queued: string, ahead: string) => `WITH granted AS (
        INSERT INTO ${locks} AS lease (key, holder, ends_at_ms) VALUES (?, ?, ${nowMs} + ${integer})
        ON CONFLICT (key) DO UPDATE SET holder = excluded.holder, ends_at_ms = excluded.ends_at_ms
        WHERE lease.holder IN (excluded.holder, ?) OR lease.ends_at_ms <= ${nowMs} RETURNING 1
      ), steps AS MATERIALIZED (
        SELECT nextval(${sequence}) AS next, CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint) AS clock
        FROM granted
      )${queued}
      SELECT CAST((CASE WHEN clock > next THEN setval(${sequence}, clock) ELSE next END) * ${TOKENS_A_STEP} AS text) AS token,
        NULL AS ends, NULL AS ahead, NULL AS commit
      FROM steps
      UNION ALL
      SELECT NULL, CAST(ends_at_ms - ${nowMs} AS text), CAST((${ahead}) AS text), ${notOnDisk}
      FROM ${locks} AS lease WHERE key = ? AND NOT EXISTS (SELECT FROM granted)`
  return {
    // Names the waiters too: where their table is missing nothing is granted, as it could not be released.
    acquire: acquire('', `SELECT 0 WHERE CAST('${waiters}' AS regclass) IS NOT NULL`),
    acquireOrQueue: acquire(
      `, queued AS (
        INSERT INTO ${waiters} AS place (key, waiter, since_ms, ends_at_ms)
        SELECT ?, ?, ${nowMs}, ${nowMs} + ${PLACE_MS} WHERE NOT EXISTS (SELECT FROM granted)
        ON CONFLICT (key, waiter) DO UPDATE SET ends_at_ms = excluded.ends_at_ms
        WHERE place.ends_at_ms < ${nowMs} + ${PROLONG_MS}
      ), own AS (SELECT since_ms FROM ${waiters} WHERE key = ? AND waiter = ?)`,
      `SELECT count(*) FROM ${waiters} AS other WHERE other.key = lease.key AND other.waiter <> ?
        AND ends_at_ms > ${nowMs} + ${TURN_MS} AND since_ms <= coalesce((SELECT since_ms FROM own), since_ms)`,
    ),
    extend: `UPDATE ${locks} SET ends_at_ms = ${nowMs} + ${integer} WHERE key = ? AND holder = ? AND ends_at_ms > ${nowMs} RETURNING 1`,
    // Not waited for on the disk: a release that a crash takes back ends with its TTL. And commits that announce
    // something come one after the other.
    releaseUnwanted: `WITH released AS (
        DELETE FROM ${locks} WHERE key = ? AND holder = ?
        AND NOT EXISTS (SELECT FROM ${waiters} WHERE key = ?) RETURNING key
      )
      SELECT ${notOnDisk}, pg_notify(?, '  ' || key) FROM released`,
    // Rows are locked in the order that an acquire has: the lease, then places.
    release: `WITH queue AS MATERIALIZED (
        SELECT array_agg(waiter ORDER BY since_ms, waiter) AS line FROM ${waiters}
        WHERE key = ? AND waiter <> ? AND ends_at_ms > ${nowMs}
      ), kept AS (
        UPDATE ${locks} SET holder = '${TURN}' || (SELECT line[1] FROM queue), ends_at_ms = ${nowMs} + ${TURN_MS}
        WHERE key = ? AND holder IN (?, ?) AND (SELECT line IS NOT NULL FROM queue) RETURNING 1
      ), freed AS (
        DELETE FROM ${locks} WHERE key = ? AND holder IN (?, ?) AND (SELECT line IS NULL FROM queue) RETURNING 1
      ), turned AS MATERIALIZED (SELECT 1 FROM kept UNION ALL SELECT 1 FROM freed
      ), called AS (
        UPDATE ${waiters} SET ends_at_ms = ${nowMs} + ${TURN_MS}
        WHERE key = ? AND waiter = (SELECT line[1] FROM queue) AND EXISTS (SELECT FROM turned) RETURNING 1
      ), gone AS (
        DELETE FROM ${waiters}
        WHERE key = ? AND (waiter = ? OR (SELECT line IS NULL FROM queue) OR ends_at_ms <= ${nowMs} - ${PLACE_MS})
      )
      SELECT ${notOnDisk}, ${announced}, CAST(EXISTS (SELECT FROM ${locks} WHERE key = ? AND holder = ?) AS text) AS held,
        line[1] AS next, CAST(EXISTS (SELECT FROM kept) AND NOT EXISTS (SELECT FROM called) AS text) AS missed
      FROM queue WHERE EXISTS (SELECT FROM turned)`,
    leave: `WITH gone AS (DELETE FROM ${waiters} WHERE key = ? AND waiter = ? RETURNING ends_at_ms)
      SELECT ${notOnDisk}, CAST(ends_at_ms > ${nowMs} + ${TURN_MS} AS text) AS uncalled FROM gone`,
  }
}
