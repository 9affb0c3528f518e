import type { Signal } from '../abort.ts'
import { StoreError } from '../errors.ts'
import { oneOf, wholeNumber } from '../options.ts'
import type { BeginRequest, Database, OwnedTransaction, Row, Statement } from '../sql/database.ts'
import { answerOf, freeConnection } from '../sql/deadline.ts'
import { isAnswered, MOST_REPEATS, sqlState } from '../sql/errors.ts'
import { ISOLATION_LEVELS, type IsolationLevel } from '../sql/isolation-level.ts'
import { postgres } from '../sql/postgres.ts'
import { type Environment, systemEnvironment } from '../time/clock.ts'
import type { PgPoolClient, PgStatements } from './pg-client.ts'
import type { PgSource } from './pg-source.ts'
import { PgTransaction } from './pg-transaction.ts'
import type { TakenClient } from './take-client.ts'

export interface PgDatabaseOptions {
  readonly commandMs?: number | undefined
  readonly isolationLevel?: IsolationLevel | undefined
  readonly environment?: Environment | undefined
}

/** A Postgres database behind the caller's client. */
export class PgDatabase<Client extends PgPoolClient, Transaction, Inside> implements Database<Transaction, Inside> {
  readonly name: string
  readonly dialect = postgres
  readonly #source: PgSource<Client, Transaction, Inside>
  readonly #begin: string
  readonly #commandMs: number
  readonly #environment: Environment

  /** @throws TypeError, RangeError for options that cannot serve. */
  constructor(
    source: PgSource<Client, Transaction, Inside>,
    { commandMs = 2_000, isolationLevel, environment }: PgDatabaseOptions,
  ) {
    this.name = source.name
    this.#source = source
    this.#commandMs = wholeNumber('commandMs', commandMs, 1)
    if (isolationLevel !== undefined) oneOf('isolationLevel', isolationLevel, ISOLATION_LEVELS)
    this.#begin = isolationLevel === undefined ? 'BEGIN' : `BEGIN ISOLATION LEVEL ${isolationLevel}`
    this.#environment = environment ?? systemEnvironment
  }

  async alone(what: string, statement: Statement, signal?: Signal): Promise<Row[]> {
    const taken = await this.#take(what, this.#commandMs, signal)
    let drop = false
    try {
      for (let repeats = 0; ; repeats += 1) {
        try {
          return await this.#rows(what, taken.client, statement)
        } catch (error) {
          // Without an answer of the server the statement may still run: the connection must not be lent again.
          // 25P02: somebody left the connection within a transaction that had failed.
          drop = !isAnswered(error) || sqlState(error) === '25P02'
          if (drop || repeats === MOST_REPEATS || !this.#source.prepared.outdated(error)) throw error
        }
      }
    } finally {
      taken.giveBack(drop || taken.watch.lost !== undefined)
    }
  }

  async inside(transaction: Inside, what: string, statement: Statement): Promise<Row[]> {
    const client = this.#source.within(transaction)
    try {
      return await this.#rows(what, isPromise(client) ? await client : client, statement)
    } catch (error) {
      if (!this.#source.prepared.outdated(error)) throw error
      throw new StoreError(`${what}: the table or connection has changed since the statement was prepared`, {
        cause: error,
        transient: true,
      })
    }
  }

  async begin({ waitMs = 0, signal }: BeginRequest): Promise<OwnedTransaction<Transaction>> {
    const taken = await this.#take(`BEGIN of ${this.name}`, Math.max(waitMs, this.#commandMs), signal)
    return new PgTransaction(taken, {
      source: this.#source,
      begin: this.#begin,
      commandMs: this.#commandMs,
      waitMs,
      clock: this.#environment.clock,
      signal,
    })
  }

  #take(what: string, limitMs: number, signal: Signal | undefined): Promise<TakenClient<Client>> {
    const giveBack = (late: TakenClient<Client>) => late.giveBack(late.watch.lost !== undefined)
    return freeConnection(what, this.#source.take(), giveBack, { limitMs, clock: this.#environment.clock, signal })
  }

  async #rows(what: string, client: PgStatements, statement: Statement): Promise<Row[]> {
    const deadline = { limitMs: this.#commandMs, clock: this.#environment.clock }
    const query = this.#source.prepared.query(statement)
    this.#source.onSend?.(query)
    const { rows } = await answerOf(what, client.query(query), deadline)
    return statement.callersRows === true ? this.#source.callersRows(rows) : rows
  }
}

function isPromise<Value>(value: Value | Promise<Value>): value is Promise<Value> {
  return value instanceof Promise
}
