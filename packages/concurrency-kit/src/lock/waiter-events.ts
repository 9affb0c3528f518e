import { AsyncLocalStorage } from 'node:async_hooks'
import { events } from '../events.ts'
import type { SectionLease } from './lease.ts'
import type { StoreAccess } from './store-access.ts'

/** Publishes that the wait that began at `startMs` (monotonic clock) ended with `lease`. */
export function acquired({ name: store }: StoreAccess, startMs: number, lease: SectionLease): void {
  if (events.lock.acquired.hasSubscribers) {
    const { hold, key, token, handedOff, startedAtMs } = lease
    const fencing = token === undefined ? {} : { fencingToken: token }
    const waitedMs = startedAtMs - startMs
    events.lock.acquired.publish({ store, key, holder: hold.holder, waitedMs, handedOff, ...fencing })
  }
  // A loss is detected in the context of a timer, so the lease keeps the caller's.
  if (events.lock.lost.hasSubscribers) lease.context = AsyncLocalStorage.snapshot()
}

/** Publishes that the wait that began at `startMs` (monotonic clock) ended with `error`. */
export function unavailable({ name: store, clock }: StoreAccess, startMs: number, key: string, error: unknown): void {
  if (events.lock.unavailable.hasSubscribers) {
    events.lock.unavailable.publish({ store, key, waitedMs: clock.monotonicMs() - startMs, error })
  }
}
