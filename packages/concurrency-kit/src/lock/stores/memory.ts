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

export interface MemoryLockStoreOptions {
  /** @defaultValue 128 sections, 25 ms */
  readonly handOff?: Partial<HandOffBound>
  readonly environment?: Environment
}

/**
 * Locks within one process, with fencing tokens.
 *
 * For a single instance and for tests: another process knows nothing of them. Tokens start at the time in nanoseconds, so
 * that they increase over restarts as long as the wall clock does.
 *
 * @example
 * const locks = memoryLockStore()
 */
export function memoryLockStore(options: MemoryLockStoreOptions = {}): LockStore<true> {
  return new MemoryLockStore(options)
}

class MemoryLockStore implements LockStore<true> {
  readonly name = 'memory'
  readonly fencing = true
  readonly handOff: Partial<HandOffBound>
  readonly environment: Environment
  readonly #leases = new Map<string, { holder: string; endsAtMs: number }>()
  readonly #watchers = new Map<string, Set<() => void>>()
  #nextToken: bigint

  constructor({ handOff = {}, environment = systemEnvironment }: MemoryLockStoreOptions) {
    this.handOff = handOff
    this.environment = environment
    this.#nextToken = BigInt(Math.trunc(environment.clock.wallMs())) * 1_000_000n
  }

  tryAcquire({ key, holder, ttlMs, tokens }: AcquireRequest): AcquireResult {
    const nowMs = this.environment.clock.monotonicMs()
    const lease = this.#leases.get(key)
    if (lease !== undefined && lease.holder !== holder && lease.endsAtMs > nowMs) {
      return { acquired: false, freeInMs: lease.endsAtMs - nowMs }
    }
    this.#leases.set(key, { holder, endsAtMs: nowMs + ttlMs })
    const firstToken = this.#nextToken
    this.#nextToken += BigInt(tokens)
    return { acquired: true, firstToken, tokens }
  }

  extend({ key, holder, ttlMs }: ExtendRequest): boolean {
    const nowMs = this.environment.clock.monotonicMs()
    const lease = this.#leases.get(key)
    if (lease?.holder !== holder || lease.endsAtMs <= nowMs) return false
    lease.endsAtMs = nowMs + ttlMs
    return true
  }

  release({ key, holder }: ReleaseRequest): boolean {
    if (this.#leases.get(key)?.holder !== holder) return false
    this.#leases.delete(key)
    const watchers = this.#watchers.get(key)
    if (watchers !== undefined) for (const mayBeFree of watchers) mayBeFree()
    return true
  }

  watch(key: string, mayBeFree: () => void): () => void {
    const watchers = this.#watchers.get(key) ?? new Set()
    this.#watchers.set(key, watchers.add(mayBeFree))
    mayBeFree()
    return () => {
      watchers.delete(mayBeFree)
      if (watchers.size === 0 && this.#watchers.get(key) === watchers) this.#watchers.delete(key)
    }
  }

  async close(): Promise<void> {
    await endLeases(this)
    this.#leases.clear()
  }
}
