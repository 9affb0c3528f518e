import { AsyncLocalStorage } from 'node:async_hooks'
import { events } from '../events.ts'
import type { SectionLease } from './lease.ts'
import type { StoreAccess } from './store-access.ts'

/** The wait that began at `startMs`, on the monotonic clock, has ended with `lease`. */
export function acquired({ name: store }: StoreAccess, startMs: number, lease: SectionLease): void {
  if (events.lock.acquired.hasSubscribers) {
    const { hold, key, token, handedOff, startedAtMs } = lease
    const fencing = token === undefined ? {} : { fencingToken: token }
    const waitedMs = startedAtMs - startMs
    events.lock.acquired.publish({ store, key, holder: hold.holder, waitedMs, handedOff, ...fencing })
  }
  // A loss is noticed in the context of a timer.
  if (events.lock.lost.hasSubscribers) lease.context = AsyncLocalStorage.snapshot()
}

/** The wait that began at `startMs`, on the monotonic clock, has ended with `error`. */
export function unavailable({ name: store, clock }: StoreAccess, startMs: number, key: string, error: unknown): void {
  if (events.lock.unavailable.hasSubscribers) {
    events.lock.unavailable.publish({ store, key, waitedMs: clock.monotonicMs() - startMs, error })
  }
}
