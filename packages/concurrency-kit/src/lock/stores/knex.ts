import type { Signal } from '../../abort.ts'
import { expectClient } from '../../client-kinds.ts'
import type { KnexClient } from '../../knex/knex-client.ts'
import { knexDatabase } from '../../knex/knex-database.ts'
import { usePoolFor } from '../../knex/lease-tables.ts'
import { objectWith } from '../../options.ts'
import { whileBusy } from '../../sql/while-busy.ts'
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
import { Places } from '../places.ts'
import { type AnnouncementClient, Announcements } from './knex/announcements.ts'
import type { LeaseTable } from './knex/lease-table.ts'
import { channelOf, postgresLeases } from './knex/postgres-leases.ts'
import { sqliteLeases } from './knex/sqlite-leases.ts'

export interface KnexLockStoreOptions {
  /**
   * On SQLite of a database file of its own, never the pool of the records. On Postgres best a small pool of its own too: a
   * renewal that finds every connection of a shared pool taken by long transactions waits for them, and a lease that is not
   * renewed in time is lost. Give its `connection` a `connectionTimeoutMillis`: connections that hang while they are made fill
   * the pool.
   */
  readonly knex: KnexClient
  /**
   * As made by `createTables`; the counter of tokens is called the same with `_tokens` behind, the queue with `_waiters`.
   * Without one of them nothing is granted.
   * @defaultValue 'locks'
   */
  readonly table?: string
  /**
   * Postgres only: a `pg` client, best one for this alone, on which releases are heard, so that waiters wake within a
   * round trip. It is connected to Postgres itself (PgBouncer may be in front of `knex`), and is yours to end and to give
   * an `error` listener; the store sends `LISTEN` on it, and `UNLISTEN` at `close()`. Without it waiters ask again every
   * 20 ms at most, and once a second when its connection is gone.
   * @defaultValue none
   */
  readonly listener?: AnnouncementClient
  /** Longest time in ms, integer >= 1, for each command, and for a connection. @defaultValue 2_000 */
  readonly commandMs?: number
  /** @defaultValue 128 sections, 25 ms */
  readonly handOff?: Partial<HandOffBound>
  readonly environment?: Environment
}

/**
 * Locks in a lease table, on the database's clock, with fencing tokens: on SQLite for the processes of one machine that
 * share a file, on Postgres for all that share a database.
 *
 * On Postgres acquire, extend and release are one statement each. Tokens follow the database's clock and a sequence,
 * whichever is ahead, so they also increase after the sequence was lost or set back by a failover. A grant is on the disk
 * before it counts, unless the database is told otherwise (`synchronous_commit`). A statement that hangs is given up with its
 * connection after `commandMs`.
 *
 * Processes queue: a released key is kept for whose turn it is for 50 ms.
 *
 * On SQLite a command that finds the file busy is repeated until its deadline, and waiters ask again on a timer, the first
 * in line most often: it announces nothing.
 *
 * @throws TypeError, RangeError, StoreError for a client that cannot serve, or bad options.
 * @example
 * const listener = new pg.Client(connectionString)
 * await listener.connect()
 * const locks = knexLockStore({ knex, listener })
 */
export function knexLockStore(options: KnexLockStoreOptions): LockStore<true> {
  return new KnexLockStore(options)
}

class KnexLockStore implements LockStore<true> {
  readonly name = 'knex'
  readonly fencing = true
  readonly commandMs: number
  readonly environment: Environment
  declare readonly handOff?: Partial<HandOffBound>
  readonly #leases: LeaseTable
  readonly #places: Places
  /** Holders that had to wait for their lease: where one did, others do. */
  readonly #waited = new Set<string>()
  readonly #announcements: Announcements | undefined

  constructor({
    knex,
    table = 'locks',
    listener,
    commandMs = 2_000,
    handOff,
    environment = systemEnvironment,
  }: KnexLockStoreOptions) {
    const database = knexDatabase(knex, { commandMs, environment })
    const { name } = database.dialect
    this.commandMs = commandMs
    this.environment = environment
    if (handOff !== undefined) this.handOff = handOff
    this.#leases = name === 'sqlite' ? sqliteLeases(database, table) : postgresLeases(database, table)
    usePoolFor('leases', knex)
    const giveBack = (key: string, waiter: string) =>
      this.#ask('release', AbortSignal.timeout(commandMs), () => this.#leases.leave(key, waiter))
    this.#places = new Places({ environment, giveBack })
    if (listener === undefined) return
    if (name === 'sqlite') throw new TypeError('listener must not be given on SQLite, which announces nothing')
    expectClient('listener', 'a pg.Client', listener)
    objectWith('listener', listener, ['query', 'on', 'removeListener'])
    const { clock } = environment
    this.#announcements = new Announcements({ client: listener, channel: channelOf(table), clock, commandMs })
  }

  async tryAcquire(request: AcquireRequest): Promise<AcquireResult> {
    // By another connection it could come first, and be refused for somebody who has gone.
    await this.#places.givingBack(request.key)
    const place = this.#places.take(request.key, request.waiter)
    const waiter = place?.waiter ?? ''
    const { ahead = 0, ...answer } = await this.#ask('tryAcquire', request.signal, () =>
      this.#leases.acquire(request, waiter),
    )
    if (place === undefined) return answer
    if (answer.acquired) {
      place.granted()
      this.#waited.add(request.holder)
    } else {
      place.refused(ahead)
      if (this.#announcements === undefined) place.poll()
    }
    return answer
  }

  extend({ key, holder, ttlMs, signal }: ExtendRequest): Promise<boolean> {
    return this.#ask('extend', signal, () => this.#leases.extend(key, holder, ttlMs))
  }

  release({ key, holder, waiter = '', signal }: ReleaseRequest): Promise<boolean> {
    const others = this.#waited.delete(holder)
    return this.#ask('release', signal, () => this.#leases.release(key, holder, waiter, others))
  }

  watch(key: string, mayBeFree: () => void): () => void {
    const place = this.#places.open(key, mayBeFree)
    const stop = this.#announcements?.watch(key, (...whose) => place.hear(...whose))
    if (stop === undefined) {
      place.poll()
      mayBeFree()
    }
    return () => {
      stop?.()
      place.close()
    }
  }

  async close(): Promise<void> {
    await endLeases(this)
    await this.#places.settled()
    await this.#announcements?.close()
  }

  #ask<Answer>(verb: string, signal: Signal, command: () => Promise<Answer>): Promise<Answer> {
    return whileBusy(`${verb} of ${this.name}`, command, signal, this.environment)
  }
}
