import type { Dialect } from './dialect.ts'
import { passes, sqlState } from './errors.ts'

/** Taken while tables are made: a number of the kit's own. */
const SCHEMA_LOCK = '4934721205870284'

/** Setting that keeps the session's own `lock_timeout` and `statement_timeout` during a claim. */
const KEPT = 'concurrency_kit.timeouts'

/** `now()` stands still in a transaction: every time is `clock_timestamp()`. */
export const postgres: Dialect = {
  name: 'postgres',
  remote: true,
  nowMs: 'CAST(round(extract(epoch FROM clock_timestamp()) * 1000) AS bigint)',
  now: 'clock_timestamp()',
  later: "(clock_timestamp() + CAST(? AS double precision) * interval '1 millisecond')",
  laterBy: (ms) => ms,
  integer: 'CAST(? AS bigint)',
  inList: '= ANY(?)',
  greatest: 'greatest',
  types: { bigint: 'bigint', time: 'timestamptz' },
  // IF NOT EXISTS does not see what another transaction is making, and fails on it. One message is one transaction.
  schema: (statements) => [[`SELECT pg_advisory_xact_lock(${SCHEMA_LOCK})`, ...statements].join(';\n')],
  leasesApart: false,
  // Before the claim, not within it: a claim also waits for its table, where a migration has it. 0 would be no limit at all.
  // The session's own statement_timeout would end the wait early.
  boundWait: (waitMs) =>
    `SELECT set_config('${KEPT}', current_setting('lock_timeout') || ' ' || current_setting('statement_timeout'), true),
      set_config('lock_timeout', '${Math.max(1, waitMs)}', true), set_config('statement_timeout', '0', true)`,
  unboundWait: `set_config('lock_timeout', split_part(current_setting('${KEPT}'), ' ', 1), true)
      || set_config('statement_timeout', split_part(current_setting('${KEPT}'), ' ', 2), true)`,
  ownRow: 'xmin = pg_current_xact_id()::xid',
  claimMet: (error) => {
    if (passes(error)) return 'retry'
    return sqlState(error) === '55P03' ? 'in_progress' : undefined
  },
  // The index serves no volatile function such as clock_timestamp(), and an array is never turned into a join.
  // What a claim holds is left to it. A place is one within its partition only. The lower bound is a pair: of two plain
  // bounds the planner expects a handful of rows, and reads and sorts all of them. As JSON a time reads the same whatever
  // the session's DateStyle is.
  purge: (table, expiresAt) => `WITH due AS MATERIALIZED (SELECT tableoid AS part, ctid AS place FROM ${table}
      WHERE (${expiresAt}, 0) >= (?, 0) AND ${expiresAt} <= statement_timestamp()
      ORDER BY ${expiresAt} LIMIT ? FOR UPDATE SKIP LOCKED),
    purged AS (DELETE FROM ${table} WHERE ctid = ANY (ARRAY(SELECT place FROM due))
      AND (tableoid, ctid) IN (SELECT part, place FROM due) RETURNING ${expiresAt} AS expiry)
    SELECT count(*)::text AS deleted, to_json(max(expiry)) #>> '{}' AS last_expiry FROM purged`,
  firstExpiry: '-infinity',
  lockedRead: ' FOR UPDATE',
  versions: {
    // Two writes of one transaction have the same xmin, but no place in common. As text: a place that is compared as such
    // is not looked at again when a rival has moved the row (Tid Scan, before 18.1).
    xmin: (table) => `(${table}.xmin::text || ${table}.ctid::text)`,
    // What goes over the wire: to the microsecond, and whatever the session's settings are.
    content: (table) => `encode(sha256(record_send(${table}.*)), 'hex')`,
  },
}
