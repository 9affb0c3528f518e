import type { LeasedIdempotencyStore } from '../../src/idempotency/idempotency-store.ts'
import { endLeases } from '../../src/lock/lock-engine.ts'
import type { LockStore } from '../../src/lock/lock-store.ts'
import type { VersionedStore } from '../../src/optimistic/versioned-store.ts'

/** The store as another process has it: an object of its own, whose callers do not join those of this one. */
export function asAnotherProcess(
  behind: LeasedIdempotencyStore,
  faults: Partial<LeasedIdempotencyStore> = {},
): LeasedIdempotencyStore {
  return {
    name: 'shared',
    kind: 'leased',
    ...(behind.environment && { environment: behind.environment }),
    find: (request) => behind.find(request),
    purge: (request) => behind.purge(request),
    claim: (request) => behind.claim(request),
    renew: (request) => behind.renew(request),
    complete: (request) => behind.complete(request),
    abandon: (request) => behind.abandon(request),
    ...faults,
  }
}

/** The rows as another process has them: an object, and so lines of writers, of its own. */
export function asRowsOfAnotherProcess<Id, Value, Version>(
  behind: VersionedStore<Id, Value, Version>,
): VersionedStore<Id, Value, Version> {
  const { updateLocked } = behind
  return {
    name: 'shared',
    transactional: behind.transactional,
    read: (request) => behind.read(request),
    compareAndSet: (request) => behind.compareAndSet(request),
    ...(updateLocked && { updateLocked: (request, change) => updateLocked.call(behind, request, change) }),
  }
}

/** A command's way to the store and back, on which a test may hold it up or lose it. */
export type Line = <Answer>(command: () => Answer | PromiseLike<Answer>) => Promise<Answer>

/** The lock store as another process has it: an object, and so a queue and leases, of its own. */
export class LockStoreOfProcess<Fencing extends boolean> implements LockStore<Fencing> {
  readonly name = 'shared'
  readonly fencing: Fencing
  declare readonly environment?: NonNullable<LockStore['environment']>
  watchers = 0
  readonly #behind: LockStore<Fencing>
  readonly #line: Line

  constructor(behind: LockStore<Fencing>, line: Line) {
    this.fencing = behind.fencing
    if (behind.environment !== undefined) this.environment = behind.environment
    this.#behind = behind
    this.#line = line
  }

  readonly tryAcquire: LockStore['tryAcquire'] = (request) => this.#line(() => this.#behind.tryAcquire(request))
  readonly extend: LockStore['extend'] = (request) => this.#line(() => this.#behind.extend(request))
  readonly release: LockStore['release'] = (request) => this.#line(() => this.#behind.release(request))

  watch(key: string, mayBeFree: () => void): () => void {
    this.watchers += 1
    const unwatch = this.#behind.watch?.(key, mayBeFree)
    return () => {
      this.watchers -= 1
      unwatch?.()
    }
  }

  close(): Promise<void> {
    return endLeases(this)
  }
}
