import { checkClient, type KnexClient, rowsOf } from '../../knex/knex-client.ts'
import { usePoolFor } from '../../knex/lease-tables.ts'
import { INTEGER, LATER_TEXT, NOW_MS, NOW_TEXT, secondsFromNow, whileBusy } from '../../knex/sqlite.ts'
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
import { checkRecordTable, type RecordTableOptions } from '../record-table.ts'
import { KnexRecords } from './knex-records.ts'

export interface KnexLeasedIdempotencyStoreOptions extends RecordTableOptions {
  /** Not the pool of a transactional store: a renewal would wait for its transactions. */
  readonly knex: KnexClient
  /** @defaultValue 'leased_idempotency_records' */
  readonly table?: string
  readonly environment?: Environment
}

/**
 * Idempotency records with an owner and a lease, in SQL: for handlers whose effect is outside the database, such as a
 * payment provider's.
 *
 * Every step is one statement on the database's clock. The table has the columns `owner`, `attempt` and
 * `lease_ends_at_ms` besides those of a record.
 *
 * @throws TypeError, StoreError for a client or names that cannot serve.
 */
export function knexLeasedIdempotencyStore(options: KnexLeasedIdempotencyStoreOptions): LeasedIdempotencyStore {
  return new KnexLeasedIdempotencyStore(options)
}

class KnexLeasedIdempotencyStore implements LeasedIdempotencyStore {
  readonly name = 'knex-leased'
  readonly kind = 'leased'
  declare readonly environment?: Environment
  readonly #knex: KnexClient
  readonly #records: KnexRecords

  constructor(options: KnexLeasedIdempotencyStoreOptions) {
    checkClient(options.knex)
    this.#records = new KnexRecords(checkRecordTable(options, 'leased_idempotency_records'))
    usePoolFor('leases', options.knex)
    this.#knex = options.knex
    if (options.environment !== undefined) this.environment = options.environment
  }

  find(request: FindRequest): Promise<CompletedRecord | undefined> {
    return this.#ask('find', request.signal, () => this.#records.find(this.#knex, request))
  }

  purge({ limit }: { readonly limit: number }): Promise<number> {
    return this.#ask('purge', undefined, () => this.#records.purge(this.#knex, limit))
  }

  claim(request: ClaimRequest): Promise<ClaimResult> {
    const { owner, leaseMs, retentionMs, takeOver, signal } = request
    const { table, columns, words } = this.#records.table
    const own = {
      columns: ['owner', 'attempt', 'lease_ends_at_ms'],
      values: ['?', '1', `${NOW_MS} + ${INTEGER}`],
      bindings: [owner, leaseMs],
    }
    const conflict = {
      set: [
        'owner = excluded.owner',
        'lease_ends_at_ms = excluded.lease_ends_at_ms',
        `attempt = CASE WHEN ${table}.${columns.expiresAt} <= ${NOW_TEXT} THEN 1
          WHEN ${table}.owner = excluded.owner THEN ${table}.attempt ELSE ${table}.attempt + 1 END`,
        ...(columns.outcome === undefined ? [] : [`${columns.outcome} = NULL`]),
      ],
      replaceable: ` OR (${table}.${columns.status} = ? AND (${table}.owner = excluded.owner OR
        (? AND ${table}.lease_ends_at_ms <= ${NOW_MS} AND ${table}.${columns.fingerprint} = excluded.${columns.fingerprint})))`,
      bindings: [words.inProgress, takeOver ? 1 : 0],
      returning: 'attempt',
    }
    return this.#ask('claim', signal, async () => {
      for (;;) {
        const expiresInMs = Math.max(retentionMs, leaseMs)
        const claimed = await this.#records.claim(this.#knex, request, expiresInMs, own, conflict)
        if (claimed !== undefined) return { status: 'claimed', attempt: Number(claimed['attempt']) }
        const found = await this.#records.read(this.#knex, request)
        // Gone between the two statements: the claim is asked for again, never assumed.
        if (found === undefined) continue
        const { fingerprint } = found.record
        if (found.completed) return { status: 'completed', record: found.record }
        const freeInMs = await this.#leaseLeftMs(request)
        if (freeInMs > 0) return { status: 'in_progress', fingerprint, freeInMs }
        // Its lease has ended since the claim was refused: now the claim can take it over.
        if (takeOver && fingerprint === request.fingerprint) continue
        return { status: 'vanished', fingerprint }
      }
    })
  }

  renew(request: OwnedRequest & { readonly leaseMs: number }): Promise<boolean> {
    const { columns } = this.#records.table
    const set = `lease_ends_at_ms = ${NOW_MS} + ${INTEGER}, ${columns.expiresAt} = max(${columns.expiresAt}, ${LATER_TEXT})`
    return this.#ifOwned('renew', request, `UPDATE ${this.#records.table.table} SET ${set}`, [
      request.leaseMs,
      secondsFromNow(request.leaseMs),
    ])
  }

  complete(request: OwnedRequest & Settlement & { readonly retentionMs: number }): Promise<boolean> {
    const { table, columns } = this.#records.table
    const { set, bindings } = this.#records.completion(request)
    // Whether or not it was completed before: the owner is of this claim alone.
    const sql = `UPDATE ${table} SET ${set}, ${columns.expiresAt} = ${LATER_TEXT}
      WHERE ${this.#records.where} AND owner = ? RETURNING 1`
    const all = [...bindings, secondsFromNow(request.retentionMs), ...this.#records.place(request), request.owner]
    return this.#ask('complete', request.signal, async () => (await rowsOf(this.#knex, sql, all)).length === 1)
  }

  abandon(request: OwnedRequest): Promise<boolean> {
    return this.#ifOwned('abandon', request, `DELETE FROM ${this.#records.table.table}`, [])
  }

  #ifOwned(verb: string, request: OwnedRequest, change: string, bindings: readonly unknown[]): Promise<boolean> {
    const { columns, words } = this.#records.table
    const sql = `${change} WHERE ${this.#records.where} AND owner = ? AND ${columns.status} = ? RETURNING 1`
    const all = [...bindings, ...this.#records.place(request), request.owner, words.inProgress]
    return this.#ask(verb, request.signal, async () => (await rowsOf(this.#knex, sql, all)).length === 1)
  }

  async #leaseLeftMs(request: ClaimRequest): Promise<number> {
    const sql = `SELECT lease_ends_at_ms - ${NOW_MS} AS left_ms FROM ${this.#records.table.table} WHERE ${this.#records.where}`
    const [row] = await rowsOf(this.#knex, sql, this.#records.place(request))
    return Number(row?.['left_ms'] ?? 1)
  }

  #ask<Answer>(verb: string, signal: ClaimRequest['signal'], command: () => Promise<Answer>): Promise<Answer> {
    return whileBusy(`${verb} of ${this.name}`, command, signal, this.environment)
  }
}
