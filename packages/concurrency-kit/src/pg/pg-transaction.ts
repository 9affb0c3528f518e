import type { Signal } from '../abort.ts'
import { inOneWrite } from '../one-write.ts'
import type { ConnectionWatch } from '../sql/connection.ts'
import type { Committed, OwnedTransaction, Row, Statement } from '../sql/database.ts'
import { answerOf } from '../sql/deadline.ts'
import { claimGone, isConnectionLost, passes, sqlState, swallowed, tookTooLong } from '../sql/errors.ts'
import { postgres } from '../sql/postgres.ts'
import type { Clock } from '../time/clock.ts'
import { guardedClient } from './guarded-client.ts'
import type { PgPoolClient, PgQuery, PgResult } from './pg-client.ts'
import type { PreparedStatements } from './prepared-statements.ts'
import type { TakenClient } from './take-client.ts'

export interface PgTransactionOptions {
  readonly begin: string
  readonly prepared: PreparedStatements
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
export class PgTransaction<Client extends PgPoolClient> implements OwnedTransaction<Client> {
  readonly transaction: Client
  readonly claimAll: OwnedTransaction<Client>['claimAll']
  readonly #client: Client
  readonly #options: PgTransactionOptions
  readonly #watch: ConnectionWatch
  #begun = false
  #over = false
  #overdue = false
  #released = false
  #failed: unknown
  #passing: unknown

  constructor({ client, watch }: TakenClient<Client>, options: PgTransactionOptions) {
    this.#client = client
    this.#options = options
    this.#watch = watch
    const pipelines = client.pipeline === true
    this.claimAll = pipelines ? (what, claims, unbound) => this.#claimAll(what, claims, unbound) : undefined
    this.transaction = guardedClient(client, { over: () => this.#over, onError: (error) => this.#note(error) })
  }

  claim(what: string, statement: Statement): Promise<Row[]> {
    const { prepared, commandMs, waitMs, signal } = this.#options
    return this.#ask(what, [this.#opening(), prepared.query(statement)], commandMs + waitMs, signal)
  }

  async #claimAll(what: string, statements: readonly Statement[], unbound: string): Promise<Row[][]> {
    const { prepared, commandMs, waitMs } = this.#options
    const claims = statements.map((statement) => prepared.query(statement))
    const queries = [this.#opening(), ...claims, { text: `SELECT ${unbound}` }]
    const answers = await this.#send(what, queries, commandMs + waitMs)
    return answers.slice(1, -1).map(({ rows }) => rows)
  }

  #opening(): PgQuery {
    this.#begun = true
    const { begin, waitMs } = this.#options
    return { text: `${begin}; ${postgres.boundWait(waitMs)}` }
  }

  rows(what: string, statement: Statement): Promise<Row[]> {
    const { begin, prepared, commandMs } = this.#options
    const opening = this.#begun ? [] : [{ text: begin }]
    this.#begun = true
    return this.#ask(what, [...opening, prepared.query(statement)], commandMs)
  }

  passing(): unknown {
    // A server that hangs would let the next attempt hang too, and so would a handler that is too slow for it.
    return this.#overdue || tookTooLong(this.#watch.lost) ? undefined : this.#passing
  }

  failure(): unknown {
    return this.#failed
  }

  async commit(last: readonly Statement[] = []): Promise<Committed> {
    this.#over = true
    const { prepared, commandMs } = this.#options
    const before = last.map((statement) => prepared.query(mustReturnOneRow(statement)))
    const together = this.#client.pipeline === true
    let committing = together && this.#watch.lost === undefined
    try {
      if (!together) await this.#send('the last statement', before, commandMs)
      committing = true
      const answers = await this.#send('COMMIT', together ? [...before, COMMIT] : [COMMIT], commandMs)
      const command = answers.at(-1)?.command
      this.#giveBack()
      if (command === 'COMMIT') return { status: 'committed' }
      return { status: 'failed', passes: false, cause: swallowed(this.#failed) }
    } catch (error) {
      const ambiguous = committing && (sqlState(error) === undefined || isConnectionLost(error))
      await this.rollback()
      if (ambiguous) return { status: 'ambiguous', cause: error }
      const passing = this.passing()
      return { status: 'failed', passes: passing !== undefined, cause: passing ?? this.#explained(error) }
    }
  }

  async rollback(): Promise<void> {
    if (this.#released) return
    this.#over = true
    try {
      if (this.#begun && !this.#isBroken()) await this.#send('ROLLBACK', [ROLLBACK], this.#options.commandMs)
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
    const again = passes(error) || this.#isBroken(error) || this.#options.prepared.outdated(error)
    if (again) this.#passing ??= error
  }

  #isBroken(error?: unknown): boolean {
    return this.#overdue || this.#watch.lost !== undefined || isConnectionLost(error)
  }

  #giveBack(): void {
    if (this.#released) return
    this.#released = true
    this.#watch.end()
    this.#client.release(this.#isBroken(this.#passing))
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
