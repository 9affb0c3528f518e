import type { Signal } from '../abort.ts'
import { oneOf, wholeNumber } from '../options.ts'
import type { PgConnection } from '../sql/connection.ts'
import type { BeginRequest, Database, OwnedTransaction, Row, Statement } from '../sql/database.ts'
import { answerOf, freeConnection } from '../sql/deadline.ts'
import type { Dialect } from '../sql/dialect.ts'
import { ISOLATION_LEVELS, type IsolationLevel } from '../sql/isolation-level.ts'
import { type Environment, systemEnvironment } from '../time/clock.ts'
import { bounded } from './bounded.ts'
import { dialectOf, type KnexClient, type KnexStatements, type KnexTransaction, rowsOf } from './knex-client.ts'
import { KnexOwnedTransaction } from './owned-transaction.ts'
import { type BegunTransaction, begin } from './transaction.ts'

export interface KnexDatabaseOptions {
  readonly commandMs?: number | undefined
  readonly isolationLevel?: IsolationLevel | undefined
  readonly environment?: Environment | undefined
}

/** The database behind the caller's Knex instance. */
export class KnexDatabase<Transaction extends KnexTransaction> implements Database<Transaction, KnexStatements> {
  readonly name = 'knex'
  readonly dialect: Dialect
  readonly #knex: KnexClient<Transaction>
  readonly #statements: KnexStatements
  readonly #isolationLevel: IsolationLevel | undefined
  readonly #commandMs: number
  readonly #environment: Environment

  /** @throws TypeError, RangeError for a client or options that cannot serve. */
  constructor(knex: KnexClient<Transaction>, { commandMs = 2_000, isolationLevel, environment }: KnexDatabaseOptions) {
    this.dialect = dialectOf(knex)
    this.#knex = knex
    this.#commandMs = wholeNumber('commandMs', commandMs, 1)
    this.#statements = this.dialect.remote ? bounded(knex, this.#commandMs) : knex
    if (isolationLevel !== undefined) {
      oneOf('isolationLevel', isolationLevel, ISOLATION_LEVELS)
      if (this.dialect.name === 'sqlite')
        throw new TypeError('isolationLevel is for Postgres: SQLite has one writer at a time')
    }
    this.#isolationLevel = isolationLevel
    this.#environment = environment ?? systemEnvironment
  }

  alone(what: string, statement: Statement, signal?: Signal): Promise<Row[]> {
    return this.#answered(what, rowsOf(this.#statements, statement.sql, statement.bindings), signal)
  }

  inside(transaction: KnexStatements, what: string, statement: Statement): Promise<Row[]> {
    return this.#answered(what, rowsOf(transaction, statement.sql, statement.bindings))
  }

  async begin({ waitMs = 0, signal }: BeginRequest): Promise<OwnedTransaction<Transaction>> {
    if (!this.dialect.remote) return new KnexOwnedTransaction(await begin(this.#knex), this.dialect)
    const { clock } = this.#environment
    const limitMs = Math.max(waitMs, this.#commandMs)
    const config = this.#isolationLevel === undefined ? {} : { isolationLevel: this.#isolationLevel }
    const giveBack = (late: BegunTransaction<Transaction>) => late.rollback()
    const begun = await freeConnection(`BEGIN of ${this.name}`, begin(this.#knex, config), giveBack, {
      limitMs,
      clock,
      signal,
    })
    const connection: PgConnection = await begun.transaction.client.acquireConnection()
    return new KnexOwnedTransaction(
      begun,
      this.dialect,
      { commandMs: this.#commandMs, waitMs, clock, signal },
      connection,
    )
  }

  #answered(what: string, rows: Promise<Row[]>, signal?: Signal): Promise<Row[]> {
    if (!this.dialect.remote) return rows
    return answerOf(what, rows, { limitMs: this.#commandMs, clock: this.#environment.clock, signal })
  }
}
