import { expectClient } from '../../client-kinds.ts'
import type { StoreError } from '../../errors.ts'
import { events } from '../../events.ts'
import { objectWith, shown, wholeNumber } from '../../options.ts'
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
import { Ballot, isFailure, type RedlockNode } from './redlock/ballot.ts'
import { ForeignValues } from './redlock/foreign-values.ts'

/** What redlock has of a lock that it acquired. */
interface RedlockLock {
  /** By redlock's own reckoning, ms since the Unix epoch. */
  readonly expiration: number
}

interface RedlockVerbs {
  acquire(resources: string[], ttlMs: number): PromiseLike<RedlockLock>
  extend(lock: RedlockLock, ttlMs: number): PromiseLike<RedlockLock>
  release(lock: RedlockLock): PromiseLike<unknown>
  listenerCount(event: string): number
  emit(event: string, ...args: unknown[]): boolean
}

/** What the store uses of an instance of redlock 5. */
export interface Redlock5 extends RedlockVerbs {
  readonly clients: Iterable<RedlockNode>
  readonly settings: { readonly retryCount: number }
}

/** What the store uses of an instance of redlock 4.2. */
export interface Redlock4 extends RedlockVerbs {
  readonly servers: readonly RedlockNode[]
  readonly retryCount: number
}

export interface RedlockLockStoreOptions {
  /** Made with `retryCount: 0`, over an odd number of independent nodes; see {@link redlockLockStore} for their clients. */
  readonly redlock: Redlock5 | Redlock4
  /**
   * Longest time that a single node may take, in ms, integer from 1 to `commandMs`; a node that takes longer counts as
   * failed. For acquire at most half of `ttlMs`, for extend a quarter. @defaultValue a quarter of `commandMs`: 500
   */
  readonly nodeMs?: number
  /** Longest time that a command may take, in ms. @defaultValue 2_000 */
  readonly commandMs?: number
  /** @defaultValue 128 sections, 25 ms */
  readonly handOff?: Partial<HandOffBound>
  readonly environment?: Environment
}

/**
 * Locks on a majority of independent Redis nodes, by the redlock package (5.0.0-beta.2, or 4.2): they can be had while
 * fewer than half of the nodes are down.
 *
 * There are **no fencing tokens**: the nodes share no counter, so a holder that was paused beyond its lease cannot be told
 * from the next one by a number. Guard what the section writes by a version or an idempotency key. Exclusion rests on
 * clocks: the nodes' and the callers' must run at about the same speed, and a node must not forget what it granted. One
 * that restarts without its data, while another never had the lock, lets a second holder in until the first one's next
 * renewal (a third of `ttlMs`, and one command).
 *
 * Redlock makes up the holder's value inside the call, so a lost reply cannot be asked again: that acquire fails, and
 * what single nodes granted is released where they can be reached, and lasts for one TTL where they cannot. Nodes announce
 * nothing: waiters ask again on a timer. One node is allowed, for development, and protects no better than
 * `ioredisLockStore`, which is faster there and has tokens. An even number is refused: votes that are split in half are
 * never counted by redlock 5, and tolerate no more failures than one node less.
 *
 * The clients are the caller's. For ioredis: `maxRetriesPerRequest: 0` or `enableOfflineQueue: false`, so that a node that
 * is down says so at once instead of after `nodeMs`; `autoResendUnfulfilledCommands: false`, so that a grant which was given
 * up is not asked for again after a reconnection. redlock 4.2 waits for every node: one that hangs makes each command take
 * `nodeMs`; with 5 it does not.
 *
 * @throws TypeError for something that is no redlock; RangeError for an even number of nodes, or a `retryCount` other
 * than 0: waiting is the engine's, and 4.2 reads a 0 given for a single call as 10.
 * @see Kleppmann 2016, "How to do distributed locking"; Sanfilippo 2016, "Is Redlock safe?"
 * @example
 * const locks = redlockLockStore({ redlock: new Redlock([a, b, c], { retryCount: 0 }) })
 */
export function redlockLockStore(options: RedlockLockStoreOptions): LockStore<false> {
  return new RedlockLockStore(options)
}

interface Held {
  readonly key: string
  readonly lock: RedlockLock
  /** The votes that the lease rests on now, and the nodes that had granted it before them. */
  readonly ballot: Ballot
  readonly before: ReadonlySet<RedlockNode>
}

class RedlockLockStore implements LockStore<false> {
  readonly name = 'redlock'
  readonly fencing = false
  readonly acquiresOnce = true
  readonly commandMs: number
  declare readonly handOff?: Partial<HandOffBound>
  readonly environment: Environment
  readonly #redlock: Redlock5 | Redlock4
  readonly #nodes: readonly RedlockNode[]
  readonly #nodeMs: number
  readonly #held = new Map<string, Held>()
  readonly #foreign: ForeignValues
  /** At this many, those that were never released and are over are dropped. */
  #sweepAt = 64

  constructor({ redlock, nodeMs, commandMs = 2_000, handOff, environment }: RedlockLockStoreOptions) {
    this.#redlock = redlock
    this.#nodes = nodesOf(redlock)
    this.commandMs = wholeNumber('commandMs', commandMs, 1)
    this.#nodeMs = wholeNumber('nodeMs', nodeMs ?? Math.ceil(commandMs / 4), 1, commandMs)
    if (handOff !== undefined) this.handOff = handOff
    this.environment = environment ?? systemEnvironment
    this.#foreign = new ForeignValues(this.#nodeMs, this.environment.clock)
  }

  async tryAcquire({ key, holder, ttlMs }: AcquireRequest): Promise<AcquireResult> {
    const ballot = this.#ballot(ttlMs / 2, (error) => {
      if (events.lock.commandFailed.hasSubscribers)
        events.lock.commandFailed.publish({ store: this.name, key, command: 'release', error })
    })
    try {
      const lock = await this.#on(ballot).acquire([key], ttlMs)
      this.#foreign.forget(key)
      this.#keep(holder, { key, lock, ballot, before: new Set() })
      return { acquired: true }
    } catch (error) {
      if (!ballot.begun || ballot.won) throw error
      if (await ballot.isBlockedBy(isFailure)) throw ballot.failure(`tryAcquire of ${this.name}`)
      const noLock = await this.#foreign.at(key, ballot.opponent)
      return noLock === undefined ? { acquired: false } : { acquired: false, noLock }
    }
  }

  async extend({ key, holder, ttlMs }: ExtendRequest): Promise<boolean> {
    const held = this.#held.get(holder)
    if (held?.key !== key) return false
    if (this.#isOver(held)) return !this.#held.delete(holder)
    const ballot = this.#ballot(ttlMs / 4)
    const before = held.ballot.grantedBy(held.before)
    try {
      const lock = await this.#on(ballot).extend(held.lock, ttlMs)
      if (this.#held.get(holder) === held) this.#held.set(holder, { key, lock, ballot, before })
      return true
    } catch (error) {
      if (!ballot.begun || ballot.won) throw error
      // Not lost as long as nodes that granted it, and cannot be reached now, would make it a majority again.
      const lost = await ballot.isBlockedBy(
        (vote, node) => vote === 'against' || (isFailure(vote) && !before.has(node)),
      )
      if (!lost) throw ballot.failure(`extend of ${this.name}`)
      this.#held.delete(holder)
      return false
    }
  }

  async release({ key, holder }: ReleaseRequest): Promise<boolean> {
    const held = this.#held.get(holder)
    if (held?.key !== key) return false
    this.#held.delete(holder)
    const ballot = this.#ballot(this.#nodeMs)
    try {
      await this.#on(ballot).release(held.lock)
      return true
    } catch (error) {
      if (!ballot.begun) throw error
      if (await ballot.isBlockedBy(isFailure)) throw ballot.failure(`release of ${this.name}`)
      return false
    }
  }

  async close(): Promise<void> {
    await endLeases(this)
    this.#held.clear()
  }

  #ballot(limitMs: number, onLeftBehind?: (error: StoreError) => void): Ballot {
    return new Ballot(this.#nodes, {
      clock: this.environment.clock,
      limitMs: Math.ceil(Math.min(this.#nodeMs, limitMs)),
      ...(onLeftBehind && { onLeftBehind }),
    })
  }

  /**
   * The caller's instance for one call: it inherits everything and is left as it is; only its nodes vote in booths, and
   * an `error` event that nobody listens to is not thrown, which redlock 5 would answer by never settling.
   */
  #on(ballot: Ballot): RedlockVerbs {
    const redlock = this.#redlock
    const emit = (event: string, ...args: unknown[]) => redlock.listenerCount(event) > 0 && redlock.emit(event, ...args)
    return Object.create(redlock, {
      ['servers' in redlock ? 'servers' : 'clients']: { value: ballot.booths },
      emit: { value: emit },
    })
  }

  #keep(holder: string, held: Held): void {
    this.#held.set(holder, held)
    if (this.#held.size < this.#sweepAt) return
    for (const [other, lease] of this.#held) if (this.#isOver(lease)) this.#held.delete(other)
    this.#sweepAt = Math.max(64, this.#held.size * 2)
  }

  #isOver({ lock }: Held): boolean {
    return lock.expiration <= this.environment.clock.wallMs()
  }
}

/** @throws TypeError, RangeError unless this instance tries once, over an odd number of nodes. */
function nodesOf(redlock: Redlock5 | Redlock4): readonly RedlockNode[] {
  expectClient('redlock', 'an instance of redlock', redlock)
  objectWith('redlock', redlock, ['acquire', 'extend', 'release', 'listenerCount', 'emit'])
  const nodes: unknown = 'servers' in redlock ? redlock.servers : redlock.clients
  if (typeof Object(nodes)[Symbol.iterator] !== 'function')
    throw new TypeError(`redlock.clients must be a list of nodes, but is ${shown(nodes)}`)
  const list = [...(nodes as Iterable<RedlockNode>)]
  list.forEach((node, index) => {
    expectClient(`redlock.clients[${index}]`, 'an ioredis client', node)
    objectWith(`redlock.clients[${index}]`, node, ['evalsha', 'eval'])
  })
  if (list.length % 2 === 0) throw new RangeError(`redlock must have an odd number of nodes, but has ${list.length}`)
  const retryCount = 'servers' in redlock ? redlock.retryCount : redlock.settings?.retryCount
  if (retryCount !== 0)
    throw new RangeError(
      `redlock must be made with retryCount: 0, as waiting is the engine's, but has ${shown(retryCount)}`,
    )
  return list
}
