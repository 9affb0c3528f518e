import { randomUUID } from 'node:crypto'
import { isStoreError, StoreError } from '../../errors.ts'
import type { Database, OwnedTransaction } from '../../sql/database.ts'
import { asStoreError, MOST_REPEATS, preparedIsOutdated } from '../../sql/errors.ts'
import { onLoan } from '../../sql/loan.ts'
import { whileBusy } from '../../sql/while-busy.ts'
import { type Environment, systemEnvironment } from '../../time/clock.ts'
import type {
  AttemptRequest,
  AttemptResult,
  CompletedRecord,
  FindRequest,
  Settlement,
  TransactionalIdempotencyStore,
} from '../idempotency-store.ts'
import { checkRecordTable, type RecordTableOptions } from '../record-table.ts'
import { GroupCommit } from './group-commit.ts'
import { RecordLookup } from './record-lookup.ts'
import { RecordPurge } from './record-purge.ts'
import { RecordStatements } from './record-statements.ts'

/** Records that commit together with the effects, through any client of an SQL database. */
export class SqlIdempotencyStore<Transaction> implements TransactionalIdempotencyStore<Transaction> {
  readonly name: string
  readonly kind = 'transactional'
  declare readonly environment?: Environment
  /** The savepoint of a handler with `finalErrors`: a name that no handler can guess. */
  readonly #beforeHandler = `before_handler_${randomUUID().replaceAll('-', '')}`
  readonly #database: Database<Transaction, never>
  readonly #records: RecordStatements
  readonly #lookup: RecordLookup
  readonly #purge: RecordPurge
  readonly #groups: GroupCommit<Transaction> | undefined

  constructor(
    database: Database<Transaction, never>,
    options: RecordTableOptions & { readonly environment?: Environment },
    groupCommit = false,
  ) {
    this.name = database.name
    this.#database = database
    const form = { columns: [], values: [], set: [], replaceable: '', returning: database.dialect.unboundWait }
    this.#records = new RecordStatements(checkRecordTable(options, 'idempotency_records'), database.dialect, form)
    this.#purge = new RecordPurge(this.#records.table, database.dialect)
    if (options.environment !== undefined) this.environment = options.environment
    if (groupCommit) {
      const claims = new RecordStatements(this.#records.table, database.dialect, { ...form, returning: '1' })
      this.#groups = new GroupCommit({
        name: this.name,
        database,
        claim: (request) => claims.claim(request, request.retentionMs),
        complete: (request, settlement) => this.#completion(request, settlement),
        alone: (request, handler) => this.#alone(request, handler),
        clock: (options.environment ?? systemEnvironment).clock,
      })
    }
    const what = `find of ${this.name}`
    this.#lookup = new RecordLookup(this.#records, (statement, signal) =>
      whileBusy(what, () => database.alone(what, statement, signal), signal, this.environment),
    )
  }

  async find(request: FindRequest): Promise<CompletedRecord | undefined> {
    const found = await this.#lookup.find(request)
    return found?.completed === true ? found.record : undefined
  }

  async purge({ limit }: { readonly limit: number }): Promise<number> {
    const what = `purge of ${this.name}`
    return this.#purge.batch(limit, (statement) =>
      whileBusy(what, () => this.#database.alone(what, statement), undefined, this.environment),
    )
  }

  async attempt(
    request: AttemptRequest,
    handler: (transaction: Transaction) => Promise<Settlement>,
  ): Promise<AttemptResult> {
    this.#refuseUnstorable(request)
    if (this.#groups === undefined || !request.mayShare || request.finalErrors) return this.#alone(request, handler)
    return this.#groups.attempt(request, handler)
  }

  /** Repeats a claim whose prepared statement was outdated: no handler has run yet. */
  async #alone(
    request: AttemptRequest,
    handler: (transaction: Transaction) => Promise<Settlement>,
  ): Promise<AttemptResult> {
    for (let repeats = 0, ran = false; ; repeats += 1) {
      const result = await this.#once(request, (transaction) => {
        ran = true
        return handler(transaction)
      })
      const again = !ran && result.status === 'retry' && preparedIsOutdated(result.cause)
      if (!again || repeats === MOST_REPEATS) return result
    }
  }

  async #once(
    request: AttemptRequest,
    handler: (transaction: Transaction) => Promise<Settlement>,
  ): Promise<AttemptResult> {
    const claim = this.#records.claim(request, request.retentionMs)
    let owned: OwnedTransaction<Transaction>
    try {
      owned = await this.#database.begin({ waitMs: request.waitMs, signal: request.signal })
    } catch (cause) {
      if (isStoreError(cause) && cause.transient) return { status: cause.cause === undefined ? 'busy' : 'retry', cause }
      if (this.#database.dialect.claimMet(cause) === 'busy') return { status: 'busy', cause }
      throw this.#failed('BEGIN', cause, request)
    }
    let found: AttemptResult | undefined
    try {
      const claimed = await owned.claim(`claim of ${this.name}`, claim)
      found = claimed.length === 1 ? undefined : await this.#found(owned, request)
    } catch (cause) {
      await owned.rollback()
      const status = this.#database.dialect.claimMet(cause)
      if (status === 'in_progress') return { status }
      if (status !== undefined) return { status, cause }
      if (owned.passing() !== undefined) return { status: 'retry', cause: owned.passing() }
      throw this.#failed('claim', cause, request)
    }
    if (found === undefined) return this.#handled(owned, request, handler)
    await owned.rollback()
    return found
  }

  /** What the attempt comes to where the record stands. */
  async #found(owned: OwnedTransaction<Transaction>, request: AttemptRequest): Promise<AttemptResult> {
    const found = this.#records.found(await owned.rows(`read of ${this.name}`, this.#records.read(request)))
    if (found === undefined) return { status: 'retry', cause: new StoreError('the record has just expired') }
    if (found.completed) return { status: 'replay', record: found.record }
    // Only a program other than this store leaves a record in progress behind a commit.
    return { status: 'in_progress' }
  }

  async #handled(
    owned: OwnedTransaction<Transaction>,
    request: AttemptRequest,
    handler: (transaction: Transaction) => Promise<Settlement>,
  ): Promise<AttemptResult> {
    let settlement: Settlement
    try {
      if (request.finalErrors) await this.#savepoint(owned, 'SAVEPOINT')
      settlement = await onLoan(owned, handler)
      if (settlement.outcome === 'error' && owned.passing() === undefined) await this.#savepoint(owned, 'ROLLBACK TO')
    } catch (error) {
      await owned.rollback()
      if (owned.passing() !== undefined) return { status: 'retry', cause: owned.passing() }
      throw error
    }
    if (owned.passing() !== undefined) {
      await owned.rollback()
      return { status: 'retry', cause: owned.passing() }
    }
    const ended = await owned.commit([this.#completion(request, settlement)])
    if (ended.status === 'committed') return { status: 'completed' }
    if (ended.status === 'ambiguous') return { status: 'retry', cause: ended.cause, ambiguous: true }
    if (ended.passes) return { status: 'retry', cause: ended.cause }
    throw asStoreError(`COMMIT of ${this.name}`, ended.cause)
  }

  async #savepoint(owned: OwnedTransaction<Transaction>, verb: 'SAVEPOINT' | 'ROLLBACK TO'): Promise<void> {
    const what = `${verb} of ${this.name}`
    try {
      await owned.run(what, `${verb} ${this.#beforeHandler}`)
    } catch (error) {
      throw asStoreError(what, error)
    }
  }

  /** The last statement: it must find the claim of this very transaction, or the handler has ended that. */
  #completion(request: AttemptRequest, settlement: Settlement) {
    const { columns, words } = this.#records.table
    const sql = `${columns.status} = ? AND ${this.#database.dialect.ownRow}`
    return this.#records.complete(request, settlement, { sql, bindings: [words.inProgress] })
  }

  /** The caller's own reason where its signal has aborted, and the store's failure otherwise. */
  #failed(what: string, cause: unknown, { signal }: AttemptRequest): unknown {
    return signal?.aborted === true && cause === signal.reason ? cause : asStoreError(`${what} of ${this.name}`, cause)
  }

  #refuseUnstorable(request: AttemptRequest): void {
    this.#records.place(request)
    if (request.finalErrors && this.#records.table.columns.outcome === undefined) {
      throw new TypeError('finalErrors must not be given: the table has no column for the outcome')
    }
  }
}
