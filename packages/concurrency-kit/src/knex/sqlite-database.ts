import { setImmediate } from 'node:timers/promises'
import type { Signal } from '../abort.ts'
import { StoreError } from '../errors.ts'
import { wholeNumber } from '../options.ts'
import type { BeginRequest, Database, OwnedTransaction, Row, Statement } from '../sql/database.ts'
import { freeConnection } from '../sql/deadline.ts'
import { sqlite } from '../sql/sqlite.ts'
import { type Environment, systemEnvironment } from '../time/clock.ts'
import { connectionOf, type KnexClient, type KnexTransaction, postProcessed, reportQuery } from './knex-client.ts'
import { endedEarly, runOn, type SqliteConnection } from './sqlite-connection.ts'
import { SqliteTransaction } from './sqlite-transaction.ts'

/**
 * A SQLite file behind the caller's Knex instance, by better-sqlite3.
 *
 * The kit sends its statements to the connection directly, which bypasses `postProcessResponse` and `safeIntegers`. Statements are
 * synchronous; only the wait for the connection is bounded.
 */
export class SqliteDatabase<Transaction extends KnexTransaction> implements Database<Transaction, KnexTransaction> {
  readonly name = 'knex'
  readonly dialect = sqlite
  readonly #knex: KnexClient<Transaction>
  readonly #commandMs: number
  readonly #environment: Environment

  /** @throws TypeError, RangeError for options that cannot serve. */
  constructor(
    knex: KnexClient<Transaction>,
    {
      commandMs = 2_000,
      environment,
    }: { readonly commandMs?: number | undefined; readonly environment?: Environment | undefined },
  ) {
    this.#knex = knex
    this.#commandMs = wholeNumber('commandMs', commandMs, 1)
    this.#environment = environment ?? systemEnvironment
  }

  async alone(what: string, statement: Statement, signal?: Signal): Promise<Row[]> {
    const connection = await this.#take(what, this.#commandMs, signal)
    try {
      return this.#rows(connection, statement)
    } finally {
      this.#giveBack(connection)
    }
  }

  async inside(transaction: KnexTransaction, _what: string, statement: Statement): Promise<Row[]> {
    const connection = (await connectionOf(transaction)) as SqliteConnection
    const ended = endedEarly(connection)
    if (ended !== undefined) throw ended
    return this.#rows(connection, statement)
  }

  async begin({ waitMs = 0, signal }: BeginRequest): Promise<OwnedTransaction<Transaction>> {
    const what = `BEGIN of ${this.name}`
    const connection = await this.#take(what, Math.max(waitMs, this.#commandMs), signal)
    // better-sqlite3 answers synchronously: without this turn of the event loop, a series of transactions would block timers and
    // new connections. It comes before the write lock, which other processes wait for.
    await setImmediate()
    try {
      return new SqliteTransaction(this.#knex, connection, () => this.#giveBack(connection))
    } catch (error) {
      this.#giveBack(connection)
      throw error
    }
  }

  async #take(what: string, limitMs: number, signal: Signal | undefined): Promise<SqliteConnection> {
    const { clock } = this.#environment
    const taking: Promise<SqliteConnection> = this.#knex.client.acquireConnection()
    const giveBack = (late: SqliteConnection) => this.#giveBack(late)
    const connection = await freeConnection(what, taking, giveBack, { limitMs, clock, signal })
    if (!connection.inTransaction) return connection
    this.#giveBack(connection)
    throw new StoreError(`${what}: the connection still has an open transaction that its previous user did not end`)
  }

  #giveBack(connection: SqliteConnection): void {
    delete connection.__knexTxId
    this.#knex.client.releaseConnection(connection)
  }

  #rows(connection: SqliteConnection, statement: Statement): Row[] {
    reportQuery(this.#knex, statement)
    const rows = runOn(connection, statement)
    return statement.callersRows === true ? postProcessed(this.#knex, rows) : rows
  }
}
