import type { Committed, Lent, OwnedTransaction, Row, Statement } from '../sql/database.ts'
import { claimGone, passes } from '../sql/errors.ts'
import { Loan } from '../sql/loan.ts'
import { type KnexClient, type KnexTransaction, postProcessed, reportQuery } from './knex-client.ts'
import { endedEarly, guardedConnection, runOn, runOnce, type SqliteConnection } from './sqlite-connection.ts'
import { transactionOver } from './transaction-over.ts'

/** A transaction on the connection of a Knex instance on SQLite; it takes the write lock when it begins. */
export class SqliteTransaction<Transaction extends KnexTransaction> implements OwnedTransaction<Transaction> {
  readonly #knex: KnexClient<Transaction>
  readonly #connection: SqliteConnection
  readonly #giveBack: () => void
  readonly #loans: { readonly loan: Loan; ended(committed: boolean): void }[] = []
  #over = false
  #failed: unknown
  #passing: unknown

  /** @throws the driver's error, such as SQLITE_BUSY while another process writes. */
  constructor(knex: KnexClient<Transaction>, connection: SqliteConnection, giveBack: () => void) {
    this.#knex = knex
    this.#connection = connection
    this.#giveBack = giveBack
    this.#control('BEGIN IMMEDIATE')
  }

  async lend(): Promise<Lent<Transaction>> {
    const loan = new Loan('sqlite')
    const guarded = guardedConnection(this.#connection, loan)
    const { transaction, ended } = await transactionOver(this.#knex, (own) => connectionForKnex(guarded, own))
    transaction.on('query-error', (error) => this.#note(error))
    this.#loans.push({ loan, ended })
    return { transaction, takeBack: () => loan.end() }
  }

  claim(what: string, statement: Statement): Promise<Row[]> {
    return this.rows(what, statement)
  }

  async rows(_what: string, statement: Statement): Promise<Row[]> {
    const ended = endedEarly(this.#connection)
    if (ended !== undefined) throw ended
    const rows = this.#run(statement)
    return statement.callersRows === true ? postProcessed(this.#knex, rows) : rows
  }

  async run(_what: string, sql: string): Promise<void> {
    const ended = endedEarly(this.#connection)
    if (ended !== undefined) throw ended
    this.#run({ sql, bindings: [] }, runOnce)
  }

  passing(): unknown {
    return this.#passing
  }

  failure(): unknown {
    return this.#failed
  }

  async commit(last: readonly Statement[] = []): Promise<Committed> {
    try {
      const ended = endedEarly(this.#connection)
      if (ended !== undefined) throw ended
      for (const statement of last) if (this.#run(statement).length !== 1) throw claimGone()
      this.#control('COMMIT')
    } catch (cause) {
      await this.rollback()
      return { status: 'failed', passes: passes(cause), cause }
    }
    this.#end(true)
    return { status: 'committed' }
  }

  async rollback(): Promise<void> {
    if (this.#over) return
    try {
      // A failed COMMIT leaves the transaction open.
      if (this.#connection.inTransaction) this.#control('ROLLBACK')
    } catch (error) {
      this.#connection.__knex__disposed = error
    }
    this.#end(false)
  }

  /** Emits no `query` event: Knex emits its own for BEGIN, COMMIT and ROLLBACK. */
  #control(sql: string): void {
    runOn(this.#connection, { sql, bindings: [] })
  }

  #run(statement: Statement, send = runOn): Row[] {
    reportQuery(this.#knex, statement)
    try {
      return send(this.#connection, statement)
    } catch (error) {
      this.#note(error)
      throw error
    }
  }

  #end(committed: boolean): void {
    this.#over = true
    for (const { loan, ended } of this.#loans) {
      loan.end()
      ended(committed)
    }
    this.#giveBack()
  }

  #note(error: unknown): void {
    this.#failed ??= error
    if (passes(error)) this.#passing ??= error
  }
}

/** Answers Knex's own BEGIN, COMMIT and ROLLBACK without sending them. */
function connectionForKnex(guarded: SqliteConnection, own: (sql: string) => boolean): object {
  const done = { reader: false, run: () => ({ changes: 0, lastInsertRowid: 0 }) }
  const prepare = (sql: string) => (own(sql) ? done : guarded.prepare(sql))
  return new Proxy(guarded, {
    get: (target, name) => (name === 'prepare' ? prepare : Reflect.get(target, name, target)),
  })
}
