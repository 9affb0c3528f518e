import type { Dialect } from './dialect.ts'

/** Times are text that sorts as it reads, such as `2026-11-26 22:00:00.123`, in UTC. */
export const sqlite: Dialect = {
  name: 'sqlite',
  nowMs: `CAST(round(unixepoch('subsec') * 1000) AS INTEGER)`,
  now: `strftime('%Y-%m-%d %H:%M:%f', 'now')`,
  later: `strftime('%Y-%m-%d %H:%M:%f', 'now', ?)`,
  laterBy: (ms) => `+${(ms / 1000).toFixed(3)} seconds`,
  // better-sqlite3 binds every number as a floating-point one.
  integer: 'CAST(? AS INTEGER)',
  greatest: 'max',
  types: { bigint: 'INTEGER', time: 'TEXT' },
  schema: (statements) => statements,
  leasesApart: true,
}
