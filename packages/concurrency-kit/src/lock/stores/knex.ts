import type { Signal } from '../../abort.ts'
import { checkClient, type KnexClient, quoted, rowsOf } from '../../knex/knex-client.ts'
import { usePoolFor } from '../../knex/lease-tables.ts'
import { INTEGER, NOW_MS, whileBusy } from '../../knex/sqlite.ts'
import { begin } from '../../knex/transaction.ts'
import type { Environment } from '../../time/clock.ts'
import { endLeases } from '../lock-engine.ts'
import type {
  AcquireRequest,
  AcquireResult,
  ExtendRequest,
  HandOffBound,
  LockStore,
  ReleaseRequest,
} from '../lock-store.ts'

export interface KnexLockStoreOptions {
  /** Of a database file of its own: never the pool of the records. */
  readonly knex: KnexClient
  /** As made by `createTables`; the counter's table is called the same with `_tokens` behind. @defaultValue 'locks' */
  readonly table?: string
  /** Longest time that a command may take, in ms. @defaultValue 2_000 */
  readonly commandMs?: number
  /** @defaultValue 128 sections, 25 ms */
  readonly handOff?: Partial<HandOffBound>
  readonly environment?: Environment
}

/**
 * Locks in a lease table, on the database's clock, with fencing tokens: for the processes of one machine that share a
 * SQLite file.
 *
 * A command that finds the file busy is repeated until its deadline. Waiters ask again on a timer: SQLite announces nothing.
 *
 * @throws TypeError, StoreError for a client that cannot serve.
 */
export function knexLockStore(options: KnexLockStoreOptions): LockStore<true> {
  return new KnexLockStore(options)
}

class KnexLockStore implements LockStore<true> {
  readonly name = 'knex'
  readonly fencing = true
  declare readonly commandMs?: number
  declare readonly handOff?: Partial<HandOffBound>
  declare readonly environment?: Environment
  readonly #knex: KnexClient
  readonly #sql: ReturnType<typeof statements>

  constructor({ knex, table = 'locks', commandMs, handOff, environment }: KnexLockStoreOptions) {
    checkClient(knex)
    this.#sql = statements(table)
    usePoolFor('leases', knex)
    this.#knex = knex
    if (commandMs !== undefined) this.commandMs = commandMs
    if (handOff !== undefined) this.handOff = handOff
    if (environment !== undefined) this.environment = environment
  }

  tryAcquire({ key, holder, ttlMs, tokens, signal }: AcquireRequest): Promise<AcquireResult> {
    return this.#ask('tryAcquire', signal, async () => {
      const attempt = await begin(this.#knex)
      try {
        const { transaction } = attempt
        const granted = await rowsOf(transaction, this.#sql.grant, [key, holder, ttlMs])
        if (granted.length === 0) {
          const [lease] = await rowsOf(transaction, this.#sql.left, [key])
          await attempt.rollback()
          return { acquired: false, freeInMs: Math.max(1, Number(lease?.['left_ms'] ?? 1)) }
        }
        const [counter] = await rowsOf(transaction, this.#sql.reserve, [tokens, tokens, tokens])
        await attempt.commit()
        return { acquired: true, firstToken: BigInt(String(counter?.['first_token'])), tokens }
      } catch (error) {
        await attempt.rollback()
        throw error
      }
    })
  }

  extend({ key, holder, ttlMs, signal }: ExtendRequest): Promise<boolean> {
    return this.#matched('extend', signal, this.#sql.extend, [ttlMs, key, holder])
  }

  release({ key, holder, signal }: ReleaseRequest): Promise<boolean> {
    return this.#matched('release', signal, this.#sql.release, [key, holder])
  }

  async close(): Promise<void> {
    await endLeases(this)
  }

  #matched(verb: string, signal: Signal, sql: string, bindings: readonly unknown[]): Promise<boolean> {
    return this.#ask(verb, signal, async () => (await rowsOf(this.#knex, sql, bindings)).length === 1)
  }

  #ask<Answer>(verb: string, signal: Signal, command: () => Promise<Answer>): Promise<Answer> {
    return whileBusy(`${verb} of ${this.name}`, command, signal, this.environment)
  }
}

function statements(table: string) {
  const locks = quoted('table', table)
  const counter = quoted('table', `${table}_tokens`)
  return {
    grant: `INSERT INTO ${locks} (key, holder, ends_at_ms) VALUES (?, ?, ${NOW_MS} + ${INTEGER})
      ON CONFLICT (key) DO UPDATE SET holder = excluded.holder, ends_at_ms = excluded.ends_at_ms
      WHERE ${locks}.holder = excluded.holder OR ${locks}.ends_at_ms <= ${NOW_MS} RETURNING 1`,
    left: `SELECT ends_at_ms - ${NOW_MS} AS left_ms FROM ${locks} WHERE key = ?`,
    // As text: a driver reads integers past 2^53 inexactly. A counter that was lost starts again at the microseconds.
    reserve: `INSERT INTO ${counter} (id, next_token) VALUES (1, ${NOW_MS} * 1000 + ${INTEGER})
      ON CONFLICT (id) DO UPDATE SET next_token = max(next_token, ${NOW_MS} * 1000) + ${INTEGER}
      RETURNING CAST(next_token - ${INTEGER} AS TEXT) AS first_token`,
    extend: `UPDATE ${locks} SET ends_at_ms = ${NOW_MS} + ${INTEGER} WHERE key = ? AND holder = ? AND ends_at_ms > ${NOW_MS} RETURNING 1`,
    release: `DELETE FROM ${locks} WHERE key = ? AND holder = ? RETURNING 1`,
  }
}
