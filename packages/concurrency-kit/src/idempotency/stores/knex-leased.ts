import { setImmediate } from 'node:timers/promises'
import type { KnexClient } from '../../knex/knex-client.ts'
import { knexDatabase } from '../../knex/knex-database.ts'
import { usePoolFor } from '../../knex/lease-tables.ts'
import type { Database, Row, Statement } from '../../sql/database.ts'
import type { Dialect } from '../../sql/dialect.ts'
import { whileBusy } from '../../sql/while-busy.ts'
import type { Environment } from '../../time/clock.ts'
import type {
  ClaimRequest,
  ClaimResult,
  CompletedRecord,
  FindRequest,
  LeasedIdempotencyStore,
  OwnedRequest,
  Settlement,
} from '../idempotency-store.ts'
import { checkRecordTable, type RecordTable, type RecordTableOptions } from '../record-table.ts'
import { RecordPurge } from './record-purge.ts'
import { type ClaimForm, RecordStatements } from './record-statements.ts'

export interface KnexLeasedIdempotencyStoreOptions extends RecordTableOptions {
  /** On SQLite not the pool of a transactional store: a renewal would wait for its transactions. */
  readonly knex: KnexClient
  /** @defaultValue 'leased_idempotency_records' */
  readonly table?: string
  /** Longest time in ms, integer >= 1, for each command on Postgres, and on both databases for a connection. @defaultValue 2_000 */
  readonly commandMs?: number
  readonly environment?: Environment
}

/**
 * Idempotency records with an owner and a lease, in SQL: for handlers whose effect is outside the database, such as a
 * payment provider's.
 *
 * Every step is one statement on the database's clock. The table has the columns `owner`, `attempt` and
 * `lease_ends_at_ms` besides those of a record.
 *
 * @throws TypeError, RangeError, StoreError for a client or options that cannot serve.
 */
export function knexLeasedIdempotencyStore(options: KnexLeasedIdempotencyStoreOptions): LeasedIdempotencyStore {
  return new KnexLeasedIdempotencyStore(options)
}

class KnexLeasedIdempotencyStore implements LeasedIdempotencyStore {
  readonly name = 'knex-leased'
  readonly kind = 'leased'
  declare readonly environment?: Environment
  readonly #database: Pick<Database<unknown>, 'alone' | 'dialect'>
  readonly #records: RecordStatements
  readonly #purge: RecordPurge

  constructor(options: KnexLeasedIdempotencyStoreOptions) {
    const { commandMs, environment } = options
    this.#database = knexDatabase(options.knex, { commandMs, environment })
    const table = checkRecordTable(options, 'leased_idempotency_records')
    const { dialect } = this.#database
    this.#records = new RecordStatements(table, dialect, leasedClaim(table, dialect))
    this.#purge = new RecordPurge(table, dialect)
    usePoolFor('leases', options.knex)
    if (environment !== undefined) this.environment = environment
  }

  async find(request: FindRequest): Promise<CompletedRecord | undefined> {
    const found = this.#records.found(await this.#ask('find', request.signal, this.#records.read(request)))
    return found?.completed === true ? found.record : undefined
  }

  async purge({ limit }: { readonly limit: number }): Promise<number> {
    return this.#purge.batch(limit, (statement) => this.#ask('purge', undefined, statement))
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    const { owner, leaseMs, retentionMs, takeOver, signal } = request
    const { words } = this.#records.table
    const own = { values: [owner, leaseMs], replaceable: [words.inProgress, takeOver ? 1 : 0] }
    const claim = this.#records.claim(request, Math.max(retentionMs, leaseMs), own)
    for (;;) {
      signal?.throwIfAborted()
      const [claimed] = await this.#ask('claim', signal, claim)
      if (claimed !== undefined) return { status: 'claimed', attempt: Number(claimed['attempt']) }
      const found = this.#records.found(await this.#ask('claim', signal, this.#records.read(request)))
      // SQLite answers synchronously: without this turn of the event loop, timers and aborts would never run.
      await setImmediate()
      // Gone between the two statements: the claim is asked for again, never assumed.
      if (found === undefined) continue
      const { fingerprint } = found.record
      if (found.completed) return { status: 'completed', record: found.record }
      const freeInMs = await this.#leaseLeftMs(request)
      if (freeInMs > 0) return { status: 'in_progress', fingerprint, freeInMs }
      // The lease ended between the statements: the claim that may take it over is still to be asked for.
      if (takeOver && fingerprint === request.fingerprint) continue
      return { status: 'vanished', fingerprint }
    }
  }

  renew(request: OwnedRequest & { readonly leaseMs: number }): Promise<boolean> {
    const { dialect, table } = this.#records
    const { expiresAt } = table.columns
    const set = `lease_ends_at_ms = ${dialect.nowMs} + ${dialect.integer}, ${expiresAt} = ${dialect.greatest}(${expiresAt}, ${dialect.later})`
    const bindings = [request.leaseMs, dialect.laterBy(request.leaseMs)]
    return this.#ifOwned('renew', request, `UPDATE ${table.table} SET ${set}`, bindings)
  }

  async complete(request: OwnedRequest & Settlement & { readonly retentionMs: number }): Promise<boolean> {
    const { dialect, table } = this.#records
    // Whether or not it was completed before: the owner is of this claim alone.
    const statement = this.#records.complete(
      request,
      request,
      { sql: 'owner = ?', bindings: [request.owner] },
      { set: [`${table.columns.expiresAt} = ${dialect.later}`], bindings: [dialect.laterBy(request.retentionMs)] },
    )
    return (await this.#ask('complete', request.signal, statement)).length === 1
  }

  abandon(request: OwnedRequest): Promise<boolean> {
    return this.#ifOwned('abandon', request, `DELETE FROM ${this.#records.table.table}`, [])
  }

  async #ifOwned(verb: string, request: OwnedRequest, change: string, bindings: readonly unknown[]): Promise<boolean> {
    const { columns, words } = this.#records.table
    const sql = `${change} WHERE ${this.#records.where} AND owner = ? AND ${columns.status} = ? RETURNING 1`
    const all = [...bindings, ...this.#records.place(request), request.owner, words.inProgress]
    return (await this.#ask(verb, request.signal, { sql, bindings: all })).length === 1
  }

  async #leaseLeftMs(request: ClaimRequest): Promise<number> {
    const { dialect, table, where } = this.#records
    const sql = `SELECT CAST(lease_ends_at_ms - ${dialect.nowMs} AS text) AS left_ms FROM ${table.table} WHERE ${where}`
    const [row] = await this.#ask('claim', request.signal, { sql, bindings: this.#records.place(request) })
    return Number(row?.['left_ms'] ?? 1)
  }

  #ask(verb: string, signal: ClaimRequest['signal'], statement: Statement): Promise<Row[]> {
    const what = `${verb} of ${this.name}`
    return whileBusy(what, () => this.#database.alone(what, statement, signal), signal, this.environment)
  }
}

/** A claim with an owner and a lease, which also takes the place of the owner's own, or of one whose owner vanished. */
function leasedClaim({ table, columns }: RecordTable, { nowMs, now, integer }: Dialect): ClaimForm {
  return {
    columns: ['owner', 'attempt', 'lease_ends_at_ms'],
    values: ['?', '1', `${nowMs} + ${integer}`],
    set: [
      'owner = excluded.owner',
      'lease_ends_at_ms = excluded.lease_ends_at_ms',
      `attempt = CASE WHEN ${table}.${columns.expiresAt} <= ${now} THEN 1
        WHEN ${table}.owner = excluded.owner THEN ${table}.attempt ELSE ${table}.attempt + 1 END`,
    ],
    replaceable: ` OR (${table}.${columns.status} = ? AND (${table}.owner = excluded.owner OR
      (CAST(? AS integer) = 1 AND ${table}.lease_ends_at_ms <= ${nowMs} AND ${table}.${columns.fingerprint} = excluded.${columns.fingerprint})))`,
    returning: 'CAST(attempt AS text) AS attempt',
  }
}
