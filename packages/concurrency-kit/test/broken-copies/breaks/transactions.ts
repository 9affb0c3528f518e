import type { Break } from '../break.ts'

const loan = 'src/sql/loan.ts'
const store = 'src/idempotency/stores/sql.ts'
const sqliteTransaction = 'src/knex/sqlite-transaction.ts'
const sqliteConnection = 'src/knex/sqlite-connection.ts'
const leftBehind = 'test/idempotency/statements-left-behind'
const withoutEffects = 'test/idempotency/errors-without-effects'
const ended = 'test/idempotency/ended-transactions.test.ts'
const control = 'test/idempotency/transaction-control'
const settings = 'test/sql/client-settings'

const neverOver = { file: loan, find: 'this.#over = true', replace: 'this.#over = false' }

/** Of transactions that handlers work in, and of what the client or the table is set to. */
export const transactionBreaks: readonly Break[] = [
  { ...neverOver, pitfall: 'G7', what: 'a handler that has settled goes on', tests: leftBehind },
  { ...neverOver, pitfall: 'G8', what: 'effects land after the error', tests: withoutEffects },
  {
    pitfall: 'G8',
    what: 'the savepoint has a name that handlers use',
    file: store,
    find: "#beforeHandler = `before_handler_${randomUUID().replaceAll('-', '')}`",
    replace: "#beforeHandler = 'before_handler'",
    tests: withoutEffects,
    everyFile: true,
  },
  {
    pitfall: 'G9',
    what: 'a COMMIT that failed leaves the transaction open',
    file: sqliteTransaction,
    find: "if (this.#connection.inTransaction) this.#control('ROLLBACK')",
    replace: '',
    tests: ended,
  },
  {
    pitfall: 'G9',
    what: 'what comes after OR ROLLBACK commits by itself',
    file: sqliteConnection,
    find: 'loan.refusal(sql) ?? endedEarly(connection)',
    replace: 'loan.refusal(sql)',
    tests: ended,
  },
  {
    pitfall: 'G9',
    what: 'a handler may send COMMIT',
    file: loan,
    find: "if (control === 'end')",
    replace: "if (text === 'no such statement')",
    tests: control,
    everyFile: true,
  },
  {
    pitfall: 'G9',
    what: 'a connection to Postgres that was given back within a transaction is used',
    file: 'src/sql/connection.ts',
    find: "return /^[TE]$/.test(connection.getTransactionStatus?.() ?? '')",
    replace: 'return connection === undefined',
    tests: 'test/sql/abandoned-transactions.engines.test.ts',
  },
  {
    pitfall: 'G10',
    what: 'a claim keeps the statement_timeout of its session',
    file: 'src/sql/postgres.ts',
    find: "set_config('statement_timeout', '0', true)`",
    replace: "'0'`",
    tests: 'test/sql/statement-timeout.engines.test.ts',
  },
  {
    pitfall: 'G11',
    what: 'a client goes back to its pool while its statement runs',
    file: 'src/pg/pg-database.ts',
    find: 'drop = !isAnswered(error)',
    replace: 'drop = false',
    tests: 'test/sql/query-timeout.engines.test.ts',
  },
  {
    pitfall: 'G11',
    what: 'the client of a transaction goes back to its pool while its statement runs',
    file: 'src/pg/pg-transaction.ts',
    find: 'this.#unanswered ||= !isAnswered(error)',
    replace: 'this.#unanswered ||= false',
    tests: 'test/sql/query-timeout.engines.test.ts',
  },
  {
    pitfall: 'G12',
    what: 'a signal does not end the wait for the connection to SQLite',
    file: 'src/knex/sqlite-database.ts',
    find: '{ limitMs, clock, signal }',
    replace: '{ limitMs, clock }',
    tests: 'test/sql/waiting-for-a-connection.test.ts',
  },
  {
    pitfall: 'G12',
    what: 'a signal does not end the wait for a connection to Postgres',
    file: 'src/pg/pg-database.ts',
    find: 'clock: this.#environment.clock, signal })',
    replace: 'clock: this.#environment.clock })',
    tests: 'test/sql/waiting-for-a-connection.engines.test.ts',
  },
  {
    pitfall: 'V3',
    what: 'a statement that its connection has forgotten is not prepared anew',
    file: 'src/sql/errors.ts',
    find: "if (state === '26000' || state === '42P05') return true",
    replace: '',
    tests: 'test/sql/changed-under-statements.engines.test.ts',
  },
  {
    pitfall: 'V3',
    what: 'a statement whose table has changed is not prepared anew',
    file: 'src/sql/errors.ts',
    find: "return state === '0A000' &&",
    replace: "return state === 'none' &&",
    tests: 'test/sql/changed-under-statements.engines.test.ts',
  },
  {
    pitfall: 'V5',
    what: 'postProcessResponse renames what the statements of the kit give',
    file: 'src/pg/pg-database.ts',
    find: 'return statement.callersRows === true ? this.#source.callersRows(rows) : rows',
    replace: 'return this.#source.callersRows(rows)',
    tests: `${settings}/postgres`,
  },
  {
    pitfall: 'V5',
    what: 'postProcessResponse renames what the statements of the kit give on SQLite',
    file: 'src/knex/sqlite-database.ts',
    find: 'return statement.callersRows === true ? postProcessed(this.#knex, rows) : rows',
    replace: 'return postProcessed(this.#knex, rows)',
    tests: `${settings}/sqlite`,
  },
  {
    pitfall: 'G9',
    what: 'rows that are still to be read keep the transaction open',
    file: loan,
    find: 'for (const close of this.#closing.splice(0)) close()',
    replace: 'this.#closing.splice(0)',
    tests: 'test/idempotency/sqlite.test.ts',
  },
  {
    pitfall: 'G13',
    what: 'each savepoint stays prepared',
    file: sqliteTransaction,
    find: 'this.#run({ sql, bindings: [] }, runOnce)',
    replace: 'this.#run({ sql, bindings: [] }, runOnce && runOn)',
    tests: 'test/idempotency/sqlite.test.ts',
  },
  {
    pitfall: 'G14',
    what: 'a store is made over a transaction',
    file: 'src/knex/knex-database.ts',
    find: 'if (knex.isTransaction === true)',
    replace: 'if (knex.isTransaction === undefined)',
    tests: 'test/knex/over-a-transaction',
    everyFile: true,
  },
  {
    pitfall: 'G14',
    what: 'rows within a pool',
    file: 'src/pg/pg-source.ts',
    find: 'expectTransaction(transaction)\n',
    replace: '\n',
    tests: 'test/client-kinds.test.ts',
  },
  {
    pitfall: 'X3',
    what: 'a pattern that backtracks over comments looks for COMMIT',
    file: loan,
    find: "const control = typeof text === 'string' ? controlIn(text, this.#dialect) : undefined",
    replace:
      "const control = /^(?:\\s|;|--[^\\n]*(?:\\n|$)|\\/\\*[\\s\\S]*?\\*\\/)*(?:COMMIT)\\b/i.test(String(text)) ? 'end' : undefined",
    tests: control,
  },
]
