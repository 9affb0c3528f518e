import type { Signal } from '../abort.ts'
import { StoreError } from '../errors.ts'
import { objectWith, oneOf, wholeNumber } from '../options.ts'
import type { BeginRequest, Database, OwnedTransaction, Row, Statement } from '../sql/database.ts'
import { answerOf, freeConnection } from '../sql/deadline.ts'
import { isConnectionLost } from '../sql/errors.ts'
import { ISOLATION_LEVELS, type IsolationLevel } from '../sql/isolation-level.ts'
import { postgres } from '../sql/postgres.ts'
import { type Environment, systemEnvironment } from '../time/clock.ts'
import type { PgPool, PgPoolClient, PgStatements } from './pg-client.ts'
import { PgTransaction } from './pg-transaction.ts'
import { PreparedStatements } from './prepared-statements.ts'
import { type TakenClient, takeClient } from './take-client.ts'

export interface PgDatabaseOptions {
  readonly commandMs?: number | undefined
  readonly isolationLevel?: IsolationLevel | undefined
  readonly environment?: Environment | undefined
}

/** The database behind the caller's pool of `pg`. */
export class PgDatabase<Client extends PgPoolClient> implements Database<Client, PgStatements> {
  readonly name = 'pg'
  readonly dialect = postgres
  readonly #pool: { connect(): Promise<Client> }
  readonly #begin: string
  readonly #commandMs: number
  readonly #environment: Environment
  readonly #prepared = new PreparedStatements()

  /** @throws TypeError, RangeError for a pool or options that cannot serve. */
  constructor(pool: PgPool, { commandMs = 2_000, isolationLevel, environment }: PgDatabaseOptions) {
    objectWith('pool', pool, ['connect'])
    this.#pool = pool as { connect(): Promise<Client> }
    this.#commandMs = wholeNumber('commandMs', commandMs, 1)
    if (isolationLevel !== undefined) oneOf('isolationLevel', isolationLevel, ISOLATION_LEVELS)
    this.#begin = isolationLevel === undefined ? 'BEGIN' : `BEGIN ISOLATION LEVEL ${isolationLevel}`
    this.#environment = environment ?? systemEnvironment
  }

  async alone(what: string, statement: Statement, signal?: Signal): Promise<Row[]> {
    const { client, watch } = await this.#take(what, this.#commandMs, signal)
    try {
      return await this.#rows(what, client, statement, { signal, onOver: () => watch.hangUp() })
    } catch (error) {
      if (isConnectionLost(error)) watch.lost ??= error
      throw error
    } finally {
      giveBack({ client, watch })
    }
  }

  inside(transaction: PgStatements, what: string, statement: Statement): Promise<Row[]> {
    return this.#rows(what, transaction, statement, {})
  }

  async begin({ waitMs = 0, signal }: BeginRequest): Promise<OwnedTransaction<Client>> {
    const taken = await this.#take(`BEGIN of ${this.name}`, Math.max(waitMs, this.#commandMs), signal)
    const { clock } = this.#environment
    return new PgTransaction(taken, {
      begin: this.#begin,
      prepared: this.#prepared,
      commandMs: this.#commandMs,
      waitMs,
      clock,
      signal,
    })
  }

  #take(what: string, limitMs: number, signal: Signal | undefined): Promise<TakenClient<Client>> {
    const { clock } = this.#environment
    return freeConnection(what, takeClient(this.#pool), giveBack, { limitMs, clock, signal })
  }

  async #rows(
    what: string,
    client: PgStatements,
    statement: Statement,
    over: { readonly signal?: Signal | undefined; readonly onOver?: () => void },
  ): Promise<Row[]> {
    const deadline = { limitMs: this.#commandMs, clock: this.#environment.clock, ...over }
    try {
      return (await answerOf(what, client.query(this.#prepared.query(statement)), deadline)).rows
    } catch (error) {
      if (!this.#prepared.outdated(error)) throw error
      throw new StoreError(`${what}: its table has changed since it was prepared`, { cause: error, transient: true })
    }
  }
}

function giveBack({ client, watch }: TakenClient<PgPoolClient>): void {
  watch.end()
  client.release(watch.lost !== undefined)
}
