import type { Dialect } from './dialect.ts'

/** Taken while tables are made: a number of the kit's own. */
const SCHEMA_LOCK = '4934721205870284'

/** `now()` stands still in a transaction: every time is `clock_timestamp()`. */
export const postgres: Dialect = {
  name: 'postgres',
  nowMs: 'CAST(round(extract(epoch FROM clock_timestamp()) * 1000) AS bigint)',
  now: 'clock_timestamp()',
  later: "(clock_timestamp() + CAST(? AS double precision) * interval '1 millisecond')",
  laterBy: (ms) => ms,
  integer: 'CAST(? AS bigint)',
  greatest: 'greatest',
  types: { bigint: 'bigint', time: 'timestamptz' },
  // IF NOT EXISTS does not see what another transaction is making, and fails on it. One message is one transaction.
  schema: (statements) => [[`SELECT pg_advisory_xact_lock(${SCHEMA_LOCK})`, ...statements].join(';\n')],
  leasesApart: false,
}
