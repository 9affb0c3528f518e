import { events } from '../events.ts'
import { wholeNumber } from '../options.ts'
import { ask, isPromiseLike } from '../store-command.ts'
import { type Clock, type Environment, systemEnvironment } from '../time/clock.ts'
import type { AcquireRequest, AcquireResult, HandOffBound, LockStore } from './lock-store.ts'

/** A lock store with its options checked, and a deadline on each of its commands. */
export class StoreAccess {
  readonly name: string
  readonly fencing: boolean
  readonly acquiresOnce: boolean
  readonly commandMs: number
  readonly handOff: HandOffBound
  readonly environment: Environment
  readonly #store: LockStore

  constructor(store: LockStore) {
    this.#store = store
    this.name = store.name
    this.fencing = store.fencing
    this.acquiresOnce = store.acquiresOnce ?? false
    this.commandMs = wholeNumber('store.commandMs', store.commandMs ?? 2_000, 1)
    this.handOff = {
      maxSections: wholeNumber('store.handOff.maxSections', store.handOff?.maxSections ?? 128, 1, 1_000_000),
      maxMs: wholeNumber('store.handOff.maxMs', store.handOff?.maxMs ?? 25, 0),
    }
    this.environment = store.environment ?? systemEnvironment
  }

  get clock(): Clock {
    return this.environment.clock
  }

  /** `onLate` gets the answer that came after `limitMs`, when this had rejected already. */
  tryAcquire(
    request: Required<Omit<AcquireRequest, 'signal'>>,
    limitMs: number,
    onLate: (answer: AcquireResult) => void,
  ): AcquireResult | Promise<AcquireResult> {
    const { key, holder, ttlMs, tokens, waiter, onLost } = request
    return ask(
      `tryAcquire of ${this.name}`,
      limitMs,
      this.clock,
      (deadline) =>
        this.#store.tryAcquire({
          key,
          holder,
          ttlMs,
          tokens,
          waiter,
          onLost,
          get signal() {
            return deadline.signal
          },
        }),
      onLate,
    )
  }

  async extend(lease: { key: string; holder: string; ttlMs: number }, limitMs: number): Promise<boolean> {
    const { key, holder, ttlMs } = lease
    try {
      return await ask(`extend of ${this.name}`, limitMs, this.clock, (deadline) =>
        this.#store.extend({
          key,
          holder,
          ttlMs,
          get signal() {
            return deadline.signal
          },
        }),
      )
    } catch (error) {
      this.commandFailed('extend', key, error)
      throw error
    }
  }

  /** Never rejects: what is not released expires. Synchronous where the store is. */
  release(key: string, holder: string, waiter: string): Promise<void> | undefined {
    try {
      const answer = ask(`release of ${this.name}`, this.commandMs, this.clock, (deadline) =>
        this.#store.release({
          key,
          holder,
          waiter,
          get signal() {
            return deadline.signal
          },
        }),
      )
      if (!isPromiseLike(answer)) return undefined
      return Promise.resolve(answer).then(
        () => {},
        (error: unknown) => this.commandFailed('release', key, error),
      )
    } catch (error) {
      this.commandFailed('release', key, error)
      return undefined
    }
  }

  watch(key: string, mayBeFree: () => void): (() => void) | undefined {
    return this.#store.watch?.(key, mayBeFree)
  }

  /** Says so where no caller will see the error. */
  commandFailed(command: 'tryAcquire' | 'extend' | 'release', key: string, error: unknown): void {
    if (events.lock.commandFailed.hasSubscribers) {
      events.lock.commandFailed.publish({ store: this.name, key, command, error })
    }
  }
}
