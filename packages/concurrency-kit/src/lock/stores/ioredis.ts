import { Announcements } from '../../ioredis/announcements.ts'
import { BatchedScript } from '../../ioredis/batched-script.ts'
import { checkAnnouncingClient, type IoredisCluster, type IoredisServer, keyOnServer } from '../../ioredis/client.ts'
import { runScript } from '../../ioredis/script.ts'
import { KeysBeside } from '../../ioredis/slots.ts'
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
import { Places, TURN } from '../places.ts'
import { acquire, extend, release } from './ioredis-scripts.ts'

export interface IoredisLockStoreOptions {
  /**
   * An ioredis `Redis` (single server or Sentinel) or `Cluster`, version 5 or later, on Redis 6.2 or later.
   *
   * Stays the caller's; a `keyPrefix` of it is put before every key. While the server is not reachable, every command
   * ends after `commandMs`; set `maxRetriesPerRequest` to 1 or so, or `enableOfflineQueue: false`, so that what nobody waits
   * for any more does not pile up in the client and is not sent when the server is back; and `socketTimeout` to a few
   * seconds, or a connection that went silent is used until the system gives it up, which takes minutes. A command that
   * ioredis sends again after a reconnect does no harm: it is the same holder's.
   */
  readonly client: IoredisServer | IoredisCluster
  /** Longest time that a command may take, in ms, integer >= 1. @defaultValue 2_000 */
  readonly commandMs?: number
  /** @defaultValue 128 sections, 25 ms */
  readonly handOff?: Partial<HandOffBound>
  readonly environment?: Environment
}

/**
 * Locks on Redis, with fencing tokens, a fair queue of processes, and wake-up by publish and subscribe.
 *
 * The lock key is the caller's key, and its value the holder. One round trip acquires, one releases. Besides there is one
 * counter of tokens per database, `concurrency-kit:fencing-tokens` (on a Cluster one per hash slot that was used), and,
 * while processes wait for a key, their queue under `concurrency-kit:waiting:…`. None of them may be evicted: the server's
 * `maxmemory-policy` is to be `noeviction`. Releases are announced on channels `concurrency-kit:released:…`, heard on one connection that is duplicated from the client when
 * somebody waits, and closed by `close()`.
 *
 * A server that forgets what it acknowledged (a restart without its data, a failover to a replica that lags) may grant a
 * key twice: pass `lease.fencingToken` to whatever must not be late. Tokens go on above those given before as long as
 * the servers' clocks do.
 *
 * @throws TypeError for a client that cannot serve.
 * @example
 * const locks = ioredisLockStore({ client: new Redis({ maxRetriesPerRequest: 1 }) })
 */
export function ioredisLockStore(options: IoredisLockStoreOptions): LockStore<true> {
  return new IoredisLockStore(options)
}

class IoredisLockStore implements LockStore<true> {
  readonly name = 'ioredis'
  readonly fencing = true
  declare readonly commandMs?: number
  declare readonly handOff?: Partial<HandOffBound>
  declare readonly environment?: Environment
  readonly #client: IoredisServer | IoredisCluster
  readonly #beside: KeysBeside
  readonly #places: Places
  readonly #acquire: BatchedScript
  readonly #release: BatchedScript

  constructor({ client, commandMs, handOff, environment }: IoredisLockStoreOptions) {
    checkAnnouncingClient(client)
    this.#client = client
    this.#beside = new KeysBeside(client)
    this.#acquire = new BatchedScript(client, 'tryAcquire of ioredis', acquire)
    this.#release = new BatchedScript(client, 'release of ioredis', release)
    this.#places = new Places({ environment, giveBack: (key, waiter) => this.#releaseAs(TURN + waiter, key, waiter) })
    if (commandMs !== undefined) this.commandMs = commandMs
    if (handOff !== undefined) this.handOff = handOff
    if (environment !== undefined) this.environment = environment
  }

  async tryAcquire({ key, holder, ttlMs, tokens, waiter }: AcquireRequest): Promise<AcquireResult> {
    const place = this.#places.take(key, waiter)
    const counter = this.#beside.name(key, 'fencing-tokens')
    const args = [holder, ttlMs, tokens, place?.waiter ?? '']
    const { status, value, shared } = await this.#acquire.run(counter, [counter], [key, this.#queueOf(key)], args)
    if (status === 1) {
      place?.granted()
      return { acquired: true, firstToken: BigInt(String(shared)) + BigInt(Number(value)), tokens }
    }
    const freeInMs = Number(value)
    if (freeInMs < 0) return { acquired: false, noLock: 'a value that never expires' }
    return { acquired: false, freeInMs: Math.max(1, freeInMs) }
  }

  async extend({ key, holder, ttlMs }: ExtendRequest): Promise<boolean> {
    return Number(await runScript(this.#client, 'extend of ioredis', extend, [key], [holder, ttlMs])) === 1
  }

  async release({ key, holder, waiter = '' }: ReleaseRequest): Promise<boolean> {
    return this.#releaseAs(holder, key, waiter)
  }

  watch(key: string, mayBeFree: () => void): () => void {
    const place = this.#places.open(key, mayBeFree)
    const stop = Announcements.of(this.#client).listen(this, this.#channelOf(key), (message) =>
      place.hear(...(message?.split(' ') ?? [])),
    )
    return () => {
      stop()
      place.close()
    }
  }

  async close(): Promise<void> {
    await endLeases(this)
    await this.#places.settled()
    Announcements.of(this.#client).leave(this)
  }

  async #releaseAs(holder: string, key: string, waiter: string): Promise<boolean> {
    const args = [holder, waiter, this.#channelOf(key)]
    const { status } = await this.#release.run(this.#beside.name(key, 'slot'), [], [key, this.#queueOf(key)], args)
    return status === 1
  }

  #queueOf(key: string): string {
    return this.#beside.name(key, `waiting:${key}`)
  }

  #channelOf(key: string): string {
    return `concurrency-kit:released:${keyOnServer(this.#client, key)}`
  }
}
