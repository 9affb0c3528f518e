import { expectClient } from '../../client-kinds.ts'
import { objectWith, wholeNumber } from '../../options.ts'
import { type Environment, systemEnvironment } from '../../time/clock.ts'
import { endLeases } from '../lock-engine.ts'
import type {
  AcquireRequest,
  AcquireResult,
  ExtendRequest,
  HandOffBound,
  LockStore,
  ReleaseRequest,
} from '../lock-store.ts'
import { ConnectionLocks } from './pg-advisory/connection-locks.ts'
import { lockNumber } from './pg-advisory/lock-number.ts'
import type { AdvisoryLockPool } from './pg-advisory/session.ts'

export interface PgAdvisoryLockStoreOptions {
  /**
   * A `pg` pool that connects to Postgres itself, with room for one connection more than the rest of the program needs: the
   * store checks out one at its first lock, and has it until `close()`, which comes before `pool.end()`: that waits for it.
   *
   * Give it `connectionTimeoutMillis`, or a connection that hangs while it is made is waited for without end; and an `error`
   * listener, as every pool needs.
   */
  readonly pool: AdvisoryLockPool
  /** Longest time that a command may take, in ms; then the connection counts as lost. @defaultValue 2_000 */
  readonly commandMs?: number
  /** @defaultValue 128 sections, 25 ms */
  readonly handOff?: Partial<HandOffBound>
  readonly environment?: Environment
}

/**
 * Postgres' session advisory locks: nothing is written, and a process that ends or is killed frees its locks at once.
 *
 * All locks and waiters of the store share one connection; what is asked for while a statement is under way goes together
 * with the next. A release wakes those who wait, in this and in other processes, by `NOTIFY`.
 *
 * Exclusion is the connection's, not time's: there is no TTL, and a process that hangs keeps its locks. When the server ends
 * the connection (restart, failover, `pg_terminate_backend`), it frees the locks at once, and another may have one before
 * this process learns of it: for the time that the news takes, or, where none comes (a failover, a line that was cut), for
 * at most `ttlMs`, as every lease has the server prove at a third of its `ttlMs` that it still has its lock. Then every lease
 * on the connection is lost at once. There are no fencing tokens: give writes that must not be late a version, or take a
 * store with fencing.
 *
 * The other way round, the server keeps the locks of a machine that vanished until it misses it: set
 * `tcp_keepalives_idle`, `tcp_keepalives_interval` and `tcp_keepalives_count` there, whose defaults are hours. A connection
 * that this store itself has lost is ended on the server when it makes the next one (Postgres 14 and later).
 *
 * A lock's number is 64 bits of its key's SHA-256, the same for all programs on a database. Each lock that is held takes a
 * place in the server's lock table (`max_locks_per_transaction` times `max_connections`, by default 6400).
 *
 * @throws TypeError, RangeError for bad options. A pooler in between, such as PgBouncer in any mode, is a `StoreError` of
 * the first lock.
 * @example
 * const locks = pgAdvisoryLockStore({ pool: new pg.Pool({ max: 11, connectionTimeoutMillis: 2_000 }) })
 */
export function pgAdvisoryLockStore(options: PgAdvisoryLockStoreOptions): LockStore<false> {
  return new PgAdvisoryLockStore(options)
}

class PgAdvisoryLockStore implements LockStore<false> {
  readonly name = 'pg-advisory'
  readonly fencing = false
  readonly commandMs: number
  readonly environment: Environment
  declare readonly handOff?: Partial<HandOffBound>
  readonly #locks: ConnectionLocks

  constructor({ pool, commandMs = 2_000, handOff, environment = systemEnvironment }: PgAdvisoryLockStoreOptions) {
    expectClient('pool', 'a pg.Pool', pool)
    objectWith('pool', pool, ['connect'])
    this.commandMs = wholeNumber('commandMs', commandMs, 1)
    this.environment = environment
    if (handOff !== undefined) this.handOff = handOff
    this.#locks = new ConnectionLocks({ pool, commandMs, clock: environment.clock })
  }

  async tryAcquire({ key, holder, onLost = () => {}, signal }: AcquireRequest): Promise<AcquireResult> {
    return { acquired: await this.#locks.acquire(lockNumber(key), holder, onLost, signal) }
  }

  extend({ key, holder, signal }: ExtendRequest): Promise<boolean> {
    return this.#locks.prove(lockNumber(key), holder, signal)
  }

  release({ key, holder }: ReleaseRequest): Promise<boolean> {
    return this.#locks.release(lockNumber(key), holder)
  }

  watch(key: string, mayBeFree: () => void): () => void {
    return this.#locks.watch(lockNumber(key), mayBeFree)
  }

  async close(): Promise<void> {
    await endLeases(this)
    await this.#locks.close()
  }
}
