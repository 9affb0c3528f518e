import type { Dialect } from './dialect.ts'
import { passes } from './errors.ts'

const NOW = `strftime('%Y-%m-%d %H:%M:%f', 'now')`

/** Times are text that sorts as it reads, such as `2026-11-26 22:00:00.123`, in UTC. */
export const sqlite: Dialect = {
  name: 'sqlite',
  remote: false,
  nowMs: `CAST(round(unixepoch('subsec') * 1000) AS INTEGER)`,
  now: NOW,
  later: `strftime('%Y-%m-%d %H:%M:%f', 'now', ?)`,
  laterBy: (ms) => `+${(ms / 1000).toFixed(3)} seconds`,
  // better-sqlite3 binds every number as a floating-point one.
  integer: 'CAST(? AS INTEGER)',
  inList: undefined,
  greatest: 'max',
  types: { bigint: 'INTEGER', time: 'TEXT' },
  schema: (statements) => statements,
  leasesApart: true,
  boundWait: () => undefined,
  unboundWait: '1',
  ownRow: 'true',
  claimMet: (error) => (passes(error) ? 'busy' : undefined),
  purge: (table, expiresAt) => `DELETE FROM ${table} WHERE rowid IN
      (SELECT rowid FROM ${table} WHERE ${expiresAt} <= ${NOW} ORDER BY ${expiresAt} LIMIT ?) RETURNING 1 AS deleted`,
  firstExpiry: undefined,
  // The kit's transactions take the write lock when they begin. A transaction of the caller takes it with its first write, or fails.
  lockedRead: '',
  versions: {},
}
