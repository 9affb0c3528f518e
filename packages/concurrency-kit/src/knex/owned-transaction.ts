import type { Signal } from '../abort.ts'
import { ConnectionWatch, type PgConnection } from '../sql/connection.ts'
import type { Committed, OwnedTransaction, Row, Statement } from '../sql/database.ts'
import { answerOf } from '../sql/deadline.ts'
import type { Dialect } from '../sql/dialect.ts'
import { claimGone, isConnectionLost, passes, sqlState, swallowed, tookTooLong } from '../sql/errors.ts'
import type { Clock } from '../time/clock.ts'
import { type KnexTransaction, rowsOf } from './knex-client.ts'
import type { BegunTransaction } from './transaction.ts'

/** How long each command of a transaction may take, on a database that may hang. */
export interface Limits {
  readonly commandMs: number
  /** How long a claim may wait for a rival besides. */
  readonly waitMs: number
  readonly clock: Clock
  /** Ends waiting for a rival. */
  readonly signal: Signal | undefined
}

/** A transaction through Knex, with deadlines on a database that may hang. */
export class KnexOwnedTransaction<Transaction extends KnexTransaction> implements OwnedTransaction<Transaction> {
  readonly transaction: Transaction
  readonly #begun: BegunTransaction<Transaction>
  readonly #dialect: Dialect
  readonly #limits: Limits | undefined
  readonly #watch: ConnectionWatch | undefined
  #failed: unknown
  #passing: unknown
  #overdue = false

  constructor(begun: BegunTransaction<Transaction>, dialect: Dialect, limits?: Limits, connection?: PgConnection) {
    this.transaction = begun.transaction
    this.#begun = begun
    this.#dialect = dialect
    this.#limits = limits
    this.#watch = connection && new ConnectionWatch(connection)
    this.transaction.on('query-error', (error) => this.#note(error))
  }

  async claim(what: string, { sql, bindings }: Statement): Promise<Row[]> {
    const { commandMs = 0, waitMs = 0 } = this.#limits ?? {}
    const bound = this.#dialect.boundWait(waitMs)
    if (bound !== undefined) await this.rows(what, { sql: bound, bindings: [] })
    return this.#answered(what, rowsOf(this.transaction, sql, bindings), commandMs + waitMs, this.#limits?.signal)
  }

  rows(what: string, { sql, bindings }: Statement): Promise<Row[]> {
    return this.#answered(what, rowsOf(this.transaction, sql, bindings))
  }

  passing(): unknown {
    // A server that hangs would let the next attempt hang too, and so would a handler that is too slow for it.
    return this.#overdue || tookTooLong(this.#watch?.lost) ? undefined : this.#passing
  }

  failure(): unknown {
    return this.#failed
  }

  async commit(last: readonly Statement[] = []): Promise<Committed> {
    for (const statement of last) {
      const refused = await this.#refused(statement)
      if (refused === undefined) continue
      await this.rollback()
      const passing = this.passing()
      return { status: 'failed', passes: passing !== undefined, cause: passing ?? refused.cause }
    }
    try {
      await this.#answered('COMMIT', this.#begun.commit())
      return { status: 'committed' }
    } catch (cause) {
      await this.rollback()
      const answered = !this.#dialect.remote || (sqlState(cause) !== undefined && !isConnectionLost(cause))
      return answered ? { status: 'failed', passes: passes(cause), cause } : { status: 'ambiguous', cause }
    } finally {
      this.#watch?.end()
    }
  }

  async #refused(last: Statement): Promise<{ readonly cause: unknown } | undefined> {
    try {
      const rows = await this.rows('the last statement', last)
      return rows.length === 1 ? undefined : { cause: claimGone() }
    } catch (error) {
      return { cause: sqlState(error) === '25P02' ? swallowed(this.#failed) : error }
    }
  }

  async rollback(): Promise<void> {
    await this.#answered('ROLLBACK', this.#begun.rollback()).catch(() => {})
    this.#watch?.end()
  }

  #answered<Answer>(
    what: string,
    answer: Promise<Answer>,
    limitMs = this.#limits?.commandMs,
    signal?: Signal,
  ): Promise<Answer> {
    if (this.#limits === undefined || limitMs === undefined) return answer
    const onOver = () => {
      this.#overdue = true
      this.#watch?.hangUp()
    }
    return answerOf(what, answer, { limitMs, clock: this.#limits.clock, signal, onOver })
  }

  #note(error: unknown): void {
    this.#failed ??= error
    if (passes(error) || isConnectionLost(error) || this.#watch?.lost !== undefined) this.#passing ??= error
  }
}
