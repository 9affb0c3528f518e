import { StoreError } from '../../errors.ts'
import { checkClient, type KnexClient, rowsOf, type TransactionOf } from '../../knex/knex-client.ts'
import { usePoolFor } from '../../knex/lease-tables.ts'
import { whileBusy } from '../../knex/sqlite.ts'
import { begin, type OwnedTransaction } from '../../knex/transaction.ts'
import { asStoreError, isBusy } from '../../sql/errors.ts'
import type { Environment } from '../../time/clock.ts'
import type {
  AttemptRequest,
  AttemptResult,
  CompletedRecord,
  FindRequest,
  Settlement,
  TransactionalIdempotencyStore,
} from '../idempotency-store.ts'
import { checkRecordTable, type RecordTableOptions } from '../record-table.ts'
import { KnexRecords } from './knex-records.ts'

export interface KnexIdempotencyStoreOptions<Client> extends RecordTableOptions {
  /** On SQLite: one connection per file and process, opened with a busy time-out of 0. */
  readonly knex: Client
  readonly environment?: Environment
}

/**
 * Idempotency records that commit together with the effects, in the caller's database.
 *
 * One transaction an attempt: the claim is its first statement, so that SQLite takes the write lock before anything is
 * read; the result is its last. A file that another process writes is waited for without a connection.
 *
 * @throws TypeError, StoreError for a client or names that cannot serve.
 * @example
 * const records = knexIdempotencyStore({ knex })
 */
export function knexIdempotencyStore<Client extends KnexClient>(
  options: KnexIdempotencyStoreOptions<Client>,
): TransactionalIdempotencyStore<TransactionOf<Client>> {
  return new KnexIdempotencyStore<TransactionOf<Client>>(options)
}

class KnexIdempotencyStore<Transaction> implements TransactionalIdempotencyStore<Transaction> {
  readonly name = 'knex'
  readonly kind = 'transactional'
  declare readonly environment?: Environment
  readonly #knex: KnexClient
  readonly #records: KnexRecords

  constructor(options: KnexIdempotencyStoreOptions<KnexClient>) {
    checkClient(options.knex)
    this.#records = new KnexRecords(checkRecordTable(options, 'idempotency_records'))
    usePoolFor('transactions', options.knex)
    this.#knex = options.knex
    if (options.environment !== undefined) this.environment = options.environment
  }

  find(request: FindRequest): Promise<CompletedRecord | undefined> {
    return whileBusy('find of knex', () => this.#records.find(this.#knex, request), request.signal, this.environment)
  }

  purge({ limit }: { readonly limit: number }): Promise<number> {
    return whileBusy('purge of knex', () => this.#records.purge(this.#knex, limit), undefined, this.environment)
  }

  async attempt(
    request: AttemptRequest,
    handler: (transaction: Transaction) => Promise<Settlement>,
  ): Promise<AttemptResult> {
    this.#refuseUnstorable(request)
    let owned: Awaited<ReturnType<typeof begin>>
    try {
      owned = await begin(this.#knex)
    } catch (error) {
      throw asStoreError('BEGIN of knex', error)
    }
    const found = await this.#claim(owned, request)
    if (found !== undefined) {
      await owned.rollback()
      return found
    }
    return this.#run(owned, request, handler)
  }

  /** Answers what the attempt comes to, if the claim does not succeed. */
  async #claim(owned: Owned, request: AttemptRequest): Promise<AttemptResult | undefined> {
    const { transaction } = owned
    const { columns } = this.#records.table
    const set = columns.outcome === undefined ? [] : [`${columns.outcome} = NULL`]
    try {
      const own = { columns: [], values: [], bindings: [] }
      const conflict = { set, replaceable: '', bindings: [], returning: '1' }
      const claimed = await this.#records.claim(transaction, request, request.retentionMs, own, conflict)
      if (claimed !== undefined) return undefined
      const found = await this.#records.read(transaction, request)
      if (found?.completed === true) return { status: 'replay', record: found.record }
      // Only a program other than this store leaves a record in progress behind a commit.
      return { status: 'in_progress' }
    } catch (cause) {
      await owned.rollback()
      if (isBusy(cause)) return { status: 'busy', cause }
      throw asStoreError('claim of knex', cause)
    }
  }

  async #run(
    owned: Owned,
    request: AttemptRequest,
    handler: (transaction: Transaction) => Promise<Settlement>,
  ): Promise<AttemptResult> {
    const { transaction } = owned
    try {
      if (request.finalErrors) await rowsOf(transaction, `SAVEPOINT ${BEFORE_HANDLER}`, [])
      const settlement = await handler(transaction as unknown as Transaction)
      if (owned.passing() !== undefined) return await this.#again(owned, owned.passing())
      if (settlement.outcome === 'error') await rowsOf(transaction, `ROLLBACK TO ${BEFORE_HANDLER}`, [])
      await this.#complete(owned, request, settlement)
    } catch (error) {
      await owned.rollback()
      if (owned.passing() !== undefined) return { status: 'retry', cause: owned.passing() }
      throw error
    }
    try {
      await owned.commit()
      return { status: 'completed' }
    } catch (cause) {
      await owned.rollback()
      if (isBusy(cause)) return { status: 'retry', cause }
      throw asStoreError('COMMIT of knex', cause)
    }
  }

  async #again(owned: Owned, cause: unknown): Promise<AttemptResult> {
    await owned.rollback()
    return { status: 'retry', cause }
  }

  /** The last statement: it must find the claim, or the handler has lost it with a transaction of its own. */
  async #complete({ transaction }: Owned, request: AttemptRequest, settlement: Settlement): Promise<void> {
    const { table, columns, words } = this.#records.table
    const { set, bindings } = this.#records.completion(settlement)
    const sql = `UPDATE ${table} SET ${set} WHERE ${this.#records.where} AND ${columns.status} = ? RETURNING 1`
    let completed: unknown[]
    try {
      completed = await rowsOf(transaction, sql, [...bindings, ...this.#records.place(request), words.inProgress])
    } catch (error) {
      throw asStoreError('completion of knex', error)
    }
    if (completed.length !== 1)
      throw new StoreError('the claim was gone when the handler returned: its transaction was rolled back')
  }

  #refuseUnstorable(request: AttemptRequest): void {
    this.#records.place(request)
    if (request.finalErrors && this.#records.table.columns.outcome === undefined) {
      throw new TypeError('finalErrors must not be given: the table has no column for the outcome')
    }
  }
}

type Owned = OwnedTransaction<Parameters<KnexRecords['read']>[0]>

const BEFORE_HANDLER = 'before_handler'
