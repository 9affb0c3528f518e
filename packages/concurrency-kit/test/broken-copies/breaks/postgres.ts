import type { Break } from '../break.ts'

const transactions = 'test/idempotency/postgres-transactions.engines.test.ts'
const faults = 'test/idempotency/postgres-faults.engines.test.ts'
const rows = 'test/optimistic/postgres-rows.engines.test.ts'
const pgTransaction = 'src/pg/pg-transaction.ts'
const dialect = 'src/sql/postgres.ts'

/** Of records and versions on Postgres; they need a server, as the suites that they turn red do. */
export const postgresBreaks: readonly Break[] = [
  {
    pitfall: 'S1',
    what: 'a COMMIT that answered ROLLBACK counts as one',
    file: 'src/knex/owned-transaction.ts',
    find: "return { cause: sqlState(error) === '25P02' ? swallowed(this.#failed) : error }",
    replace: 'return undefined',
    tests: transactions,
  },
  {
    pitfall: 'S11',
    what: 'the last statement need not find the claim',
    file: pgTransaction,
    find: 'SELECT 1 / count(*) FROM completed`',
    replace: 'SELECT count(*) FROM completed`',
    tests: transactions,
  },
  {
    pitfall: 'S11',
    what: 'the claim of another transaction will do',
    file: dialect,
    find: "ownRow: 'xmin = pg_current_xact_id()::xid'",
    replace: "ownRow: 'true'",
    tests: transactions,
  },
  {
    pitfall: 'S2',
    what: 'a serialization failure is a failure',
    file: 'src/sql/errors.ts',
    find: "state === '40001' || ",
    replace: '',
    tests: transactions,
  },
  {
    pitfall: 'S7',
    what: 'a stale snapshot is not run again',
    file: 'src/sql/errors.ts',
    find: "state === '40001' || ",
    replace: '',
    tests: transactions,
  },
  {
    pitfall: 'S9',
    what: 'every unique violation means that another was first',
    file: 'src/sql/errors.ts',
    find: "state === '40001' || ",
    replace: "state === '40001' || state === '23505' || ",
    tests: transactions,
  },
  {
    pitfall: 'C6',
    what: 'a connection is waited for without end',
    file: 'src/sql/deadline.ts',
    find: '      limitMs,\n    )',
    replace: '      limitMs + 3_000,\n    )',
    tests: transactions,
  },
  {
    pitfall: 'S6',
    what: 'every caller waits for the key on a connection of its own',
    file: 'src/idempotency/flights.ts',
    find: 'let flight = this.#flights.get(name)',
    replace: 'let flight: Flight | undefined',
    tests: transactions,
  },
  {
    pitfall: 'S12',
    what: 'results are kept as jsonb',
    file: 'src/knex/create-tables.ts',
    find: 'outcome TEXT, result TEXT,',
    replace: 'outcome TEXT, result JSONB,',
    tests: transactions,
  },
  {
    pitfall: 'S3',
    what: 'now() stands still',
    file: dialect,
    find: 'later: "(clock_timestamp() + CAST(? AS double precision) * interval \'1 millisecond\')"',
    replace: 'later: "(now() + CAST(? AS double precision) * interval \'1 second\')"',
    tests: transactions,
  },
  {
    pitfall: 'S3',
    what: 'a version is what the driver gives',
    file: 'src/optimistic/stores/versioned-rows.ts',
    find: 'const version = Number(stored)',
    replace: 'const version = stored as number',
    tests: rows,
  },
  {
    pitfall: 'S8',
    what: 'the version is checked when read, not when written',
    file: 'src/optimistic/stores/versioned-rows.ts',
    find: 'WHERE ${this.#id} = ? AND ${this.#version} = ? RETURNING *`',
    replace: 'WHERE ${this.#id} = ? AND (${this.#version} = ? OR true) RETURNING *`',
    tests: rows,
  },
  {
    pitfall: 'C8',
    what: 'an expired record stands in the way of its key',
    file: 'src/idempotency/stores/record-statements.ts',
    find: 'WHERE ${table}.${columns.expiresAt} <= ${now}${form.replaceable}',
    replace: 'WHERE false${form.replaceable}',
    tests: transactions,
  },
  {
    pitfall: 'S14',
    what: 'the purge asks a clock that no index serves',
    file: dialect,
    find: '<= statement_timestamp()',
    replace: '<= clock_timestamp()',
    tests: transactions,
  },
  {
    pitfall: 'I3',
    what: 'a COMMIT that was not answered is a failure',
    file: pgTransaction,
    find: "if (ambiguous) return { status: 'ambiguous', cause: error }",
    replace: '',
    tests: faults,
  },
  {
    pitfall: 'C9',
    what: 'the result is recorded after the COMMIT',
    file: pgTransaction,
    find: '    let committing = together && this.#watch.lost === undefined\n',
    replace:
      "    let committing = together && this.#watch.lost === undefined\n    await this.#client.query(COMMIT)\n    await this.#client.query({ text: 'BEGIN' })\n",
    tests: faults,
  },
  {
    pitfall: 'I13',
    what: 'commands have no deadline',
    file: 'src/sql/deadline.ts',
    find: '      limitMs,\n    )',
    replace: '      limitMs + 3_000,\n    )',
    tests: faults,
  },
]
