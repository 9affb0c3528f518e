import type { LeasedIdempotencyStore } from '../../src/idempotency/idempotency-store.ts'

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
