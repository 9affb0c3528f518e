import type { Signal } from '../abort.ts'
import { inOneWrite } from '../one-write.ts'
import type { ConnectionWatch } from '../sql/connection.ts'
import type { Committed, Lent, OwnedTransaction, Row, Statement } from '../sql/database.ts'
import { answerOf } from '../sql/deadline.ts'
import { claimGone, isAnswered, isConnectionLost, passes, sqlState, swallowed, tookTooLong } from '../sql/errors.ts'
import { Loan } from '../sql/loan.ts'
import { postgres } from '../sql/postgres.ts'
import type { Clock } from '../time/clock.ts'
import { guardedClient } from './guarded-client.ts'
import type { PgPoolClient, PgQuery, PgResult } from './pg-client.ts'
import type { Handed, PgSource } from './pg-source.ts'
import type { PreparedStatements } from './prepared-statements.ts'
import type { TakenClient } from './take-client.ts'

export interface PgTransactionOptions<Client extends PgPoolClient, Transaction> {
  readonly source: Pick<PgSource<Client, Transaction, never>, 'prepared' | 'hand' | 'callersRows' | 'onSend'>
  readonly begin: string
  readonly commandMs: number
  readonly waitMs: number
  readonly clock: Clock
  readonly signal: Signal | undefined
}

/**
 * A transaction on a client out of a pool.
 *
 * BEGIN goes with the first statement, COMMIT with the last: in one round trip each where the client pipelines. So the
 * last statement fails by itself unless it returns one row, and COMMIT then answers ROLLBACK.
 */
export class PgTransaction<Client extends PgPoolClient, Transaction> implements OwnedTransaction<Transaction> {
  readonly claimAll: OwnedTransaction<Transaction>['claimAll']
  readonly #taken: TakenClient<Client>
  readonly #client: Client
  readonly #options: PgTransactionOptions<Client, Transaction>
  readonly #prepared: PreparedStatements
  readonly #watch: ConnectionWatch
  readonly #loans: { readonly loan: Loan; readonly ended: Handed<Transaction>['ended'] }[] = []
  #begun = false
  #overdue = false
  #committed = false
  #released = false
  /** Whether a statement may still run on the connection. */
  #unanswered = false
  #failed: unknown
  #passing: unknown

  constructor(taken: TakenClient<Client>, options: PgTransactionOptions<Client, Transaction>) {
    this.#taken = taken
    this.#client = taken.client
    this.#options = options
    this.#prepared = options.source.prepared
    this.#watch = taken.watch
    const pipelines = this.#client.pipeline === true
    this.claimAll = pipelines ? (what, claims, unbound) => this.#claimAll(what, claims, unbound) : undefined
  }

  async lend(): Promise<Lent<Transaction>> {
    const loan = new Loan('postgres')
    const guarded = guardedClient(this.#client, loan, (error) => this.#note(error))
    const { transaction, ended } = await this.#options.source.hand(guarded)
    this.#loans.push({ loan, ended })
    return { transaction, takeBack: () => loan.end() }
  }

  claim(what: string, statement: Statement): Promise<Row[]> {
    const { commandMs, waitMs, signal } = this.#options
    return this.#ask(what, [this.#opening(), this.#prepared.query(statement)], commandMs + waitMs, signal)
  }

  async #claimAll(what: string, statements: readonly Statement[], unbound: string): Promise<Row[][]> {
    const { commandMs, waitMs } = this.#options
    const claims = statements.map((statement) => this.#prepared.query(statement))
    const queries = [this.#opening(), ...claims, { text: `SELECT ${unbound}` }]
    const answers = await this.#send(what, queries, commandMs + waitMs)
    return answers.slice(1, -1).map(({ rows }) => rows)
  }

  #opening(): PgQuery {
    this.#begun = true
    const { begin, waitMs } = this.#options
    return { text: `${begin}; ${postgres.boundWait(waitMs)}` }
  }

  async rows(what: string, statement: Statement): Promise<Row[]> {
    const { begin, commandMs, source } = this.#options
    const opening = this.#begun ? [] : [{ text: begin }]
    this.#begun = true
    const rows = await this.#ask(what, [...opening, this.#prepared.query(statement)], commandMs)
    return statement.callersRows === true ? source.callersRows(rows) : rows
  }

  async run(what: string, sql: string): Promise<void> {
    await this.#send(what, [{ text: sql }], this.#options.commandMs)
  }

  passing(): unknown {
    // A server that hangs would let the next attempt hang too, and so would a handler that is too slow for it.
    return this.#overdue || tookTooLong(this.#watch.lost) ? undefined : this.#passing
  }

  failure(): unknown {
    return this.#failed
  }

  async commit(last: readonly Statement[] = []): Promise<Committed> {
    this.#endLoans()
    const { commandMs } = this.#options
    const before = last.map((statement) => this.#prepared.query(mustReturnOneRow(statement)))
    const together = this.#client.pipeline === true
    let committing = together && this.#watch.lost === undefined
    try {
      if (!together) await this.#send('the last statement', before, commandMs)
      committing = true
      const answers = await this.#send('COMMIT', together ? [...before, COMMIT] : [COMMIT], commandMs)
      this.#committed = answers.at(-1)?.command === 'COMMIT'
      this.#giveBack()
      if (this.#committed) return { status: 'committed' }
      return { status: 'failed', passes: false, cause: swallowed(this.#failed) }
    } catch (error) {
      const ambiguous = committing && (!isAnswered(error) || isConnectionLost(error))
      await this.rollback()
      if (ambiguous) return { status: 'ambiguous', cause: error }
      const passing = this.passing()
      return { status: 'failed', passes: passing !== undefined, cause: passing ?? this.#explained(error) }
    }
  }

  async rollback(): Promise<void> {
    if (this.#released) return
    this.#endLoans()
    try {
      if (this.#begun && !this.#isBroken() && !this.#unanswered)
        await this.#send('ROLLBACK', [ROLLBACK], this.#options.commandMs)
    } catch {}
    this.#giveBack()
  }

  /** The rows of the last of `queries`, where none has failed. */
  async #ask(what: string, queries: readonly PgQuery[], limitMs: number, signal?: Signal): Promise<Row[]> {
    return (await this.#send(what, queries, limitMs, signal)).at(-1)?.rows ?? []
  }

  async #send(what: string, queries: readonly PgQuery[], limitMs: number, signal?: Signal): Promise<PgResult[]> {
    const onOver = () => {
      this.#overdue = true
      this.#watch.hangUp()
    }
    for (const query of queries) this.#options.source.onSend?.(query)
    try {
      return await answerOf(what, inOrder(this.#client, queries), {
        limitMs,
        clock: this.#options.clock,
        signal,
        onOver,
      })
    } catch (error) {
      this.#note(error)
      throw error
    }
  }

  #explained(error: unknown): unknown {
    if (sqlState(error) === NO_ROW) return claimGone(error)
    return sqlState(error) === '25P02' ? swallowed(this.#failed) : error
  }

  #note(error: unknown): void {
    this.#failed ??= error
    // Without an answer of the server, for example after a `query_timeout`, the state of the connection is unknown.
    this.#unanswered ||= !isAnswered(error)
    const again = passes(error) || this.#isBroken(error) || this.#prepared.outdated(error)
    if (again) this.#passing ??= error
  }

  #endLoans(): void {
    for (const { loan } of this.#loans) loan.end()
  }

  #isBroken(error?: unknown): boolean {
    return this.#overdue || this.#watch.lost !== undefined || isConnectionLost(error)
  }

  #giveBack(): void {
    if (this.#released) return
    this.#released = true
    for (const { ended } of this.#loans) ended?.(this.#committed)
    this.#taken.giveBack(this.#unanswered || this.#isBroken(this.#passing))
  }
}

const COMMIT: PgQuery = { text: 'COMMIT' }
const ROLLBACK: PgQuery = { text: 'ROLLBACK' }

/** Division by zero: what {@link mustReturnOneRow} fails with. */
const NO_ROW = '22012'

function mustReturnOneRow({ sql, bindings }: Statement): Statement {
  return { sql: `WITH completed AS (${sql}) SELECT 1 / count(*) FROM completed`, bindings }
}

/** Sends all at once where the client pipelines; otherwise each after the one before it was answered. */
async function inOrder(client: PgPoolClient, queries: readonly PgQuery[]): Promise<PgResult[]> {
  const results: PgResult[] = []
  if (client.pipeline === true) {
    inOneWrite(client.connection?.stream)
    const answers = await Promise.allSettled(queries.map((query) => client.query(query)))
    for (const answer of answers) {
      if (answer.status === 'rejected') throw answer.reason
      results.push(answer.value)
    }
  } else {
    for (const query of queries) results.push(await client.query(query))
  }
  return results
}
