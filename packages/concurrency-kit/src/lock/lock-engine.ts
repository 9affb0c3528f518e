import { StoreError } from '../errors.ts'
import { events } from '../events.ts'
import { objectWith } from '../options.ts'
import { KeyQueue } from './key-queue.ts'
import type { SectionLease } from './lease.ts'
import type { LockStore } from './lock-store.ts'
import { StoreAccess } from './store-access.ts'
import type { Wanted } from './waiter.ts'

/** Where a store keeps its engine: on itself, so that every caller of a process shares one queue per key. */
const ENGINE = Symbol.for('concurrency-kit.lock-engine')

/** All that happens above a store's single attempts: a queue for each key that somebody in this process wants. */
export class LockEngine {
  readonly store: StoreAccess
  readonly #queues = new Map<string, KeyQueue>()
  #closed = false

  private constructor(store: LockStore) {
    this.store = new StoreAccess(store)
  }

  static of(store: LockStore): LockEngine {
    objectWith('store', store, ['tryAcquire', 'extend', 'release', 'close'])
    const existing = Reflect.get(store, ENGINE) as LockEngine | undefined
    if (existing !== undefined) return existing
    const engine = new LockEngine(store)
    Object.defineProperty(store, ENGINE, { value: engine })
    return engine
  }

  /** How many keys somebody holds, seeks, or waits for. */
  get keysInUse(): number {
    return this.#queues.size
  }

  acquire(key: string, wanted: Wanted): Promise<SectionLease> {
    if (this.#closed) return Promise.reject(this.#closedError())
    let queue = this.#queues.get(key)
    if (queue === undefined) {
      queue = new KeyQueue(key, this.store, () => this.#queues.delete(key))
      this.#queues.set(key, queue)
    }
    return queue.enter(wanted)
  }

  /** The section has ended. The promise, where there is one, tells when the store has its lease back. */
  leave(lease: SectionLease): Promise<void> | undefined {
    if (lease.ended) return
    lease.end()
    const { hold, startedAtMs } = lease
    if (events.lock.ended.hasSubscribers) {
      const { name: store, clock } = this.store
      const { key, holder, lost } = hold
      const heldMs = clock.monotonicMs() - startedAtMs
      events.lock.ended.publish({ store, key, holder, heldMs, lost: lost !== undefined })
    }
    // A lease that was lost may have been the last thing that its queue was for.
    return this.#queues.get(lease.key)?.leave(hold)
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(Array.from(this.#queues.values(), (queue) => queue.close(this.#closedError())))
  }

  #closedError(): StoreError {
    return new StoreError(`lock store ${this.store.name} is closed`)
  }
}

/**
 * Closes what runs above `store` in this process: waiters are rejected with a `StoreError`, live leases are lost by
 * their sections and released. Every later call on the store is refused.
 *
 * For authors of stores: call it first in `close()`.
 */
export async function endLeases(store: LockStore): Promise<void> {
  await LockEngine.of(store).close()
}
