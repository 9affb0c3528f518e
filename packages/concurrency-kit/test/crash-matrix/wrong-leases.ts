import type { LeasedIdempotencyStore } from '../../src/idempotency/idempotency-store.ts'
import { asAnotherProcess } from '../support/processes.ts'

/** A store that takes a completion from whoever once had the claim, for the proof that the matrix sees it. */
export function withoutOwners(store: LeasedIdempotencyStore): LeasedIdempotencyStore {
  const owners = new Map<string, string>()
  return asAnotherProcess(store, {
    claim: (request) => {
      owners.set(request.key, request.owner)
      return store.claim(request)
    },
    complete: (request) => store.complete({ ...request, owner: owners.get(request.key) ?? request.owner }),
  })
}
