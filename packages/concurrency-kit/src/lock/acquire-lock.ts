import { ReentrantLockError } from '../errors.ts'
import { traced, traces } from '../events.ts'
import { heldHere } from './held-leases.ts'
import { LeaseList, type LeaseOn, type SectionLease } from './lease.ts'
import { type CheckedLockOptions, checkLockOptions, type LockOptions } from './lock-options.ts'
import { acquired, unavailable } from './waiter-events.ts'

/** A lease without a section: its owner ends it. */
export interface OwnedLease {
  /**
   * Ends the lease and gives it back; resolves when the store has it, at once if the lease was lost. Never rejects:
   * what could not be released expires by itself.
   */
  release(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Acquires a lease on `key`, to be released by its owner, best by `await using`.
 *
 * For work that has no single function around it; `withDistributedLock` also refuses re-entrance and reports a lease
 * that was lost. A lease that is never released is renewed for as long as the process lives.
 *
 * @throws TypeError, RangeError for bad options.
 * @throws LockUnavailableError held by another after `waitMs`; nothing is held.
 * @throws ReentrantLockError called inside a section that holds the key, with `reentrance: 'refuse'`.
 * @throws StoreError the store failed or is closed; a grant whose answer was lost is released, or expires in one TTL.
 */
export async function acquireLock<const Key extends string | readonly string[], Fencing extends boolean>(
  options: LockOptions<Key, Fencing>,
): Promise<LeaseOn<Key, Fencing> & OwnedLease> {
  const checked = checkLockOptions(options)
  const { store } = checked.engine
  return traced(
    traces.lock,
    () => ({ store: store.name, key: options.key }),
    async () => {
      const leases = await acquireAll(checked)
      const lease = view(leases, options.key)
      const release = async () => {
        await leaveAll(checked, leases)
      }
      return Object.defineProperties(lease, {
        release: { value: release },
        [Symbol.asyncDispose]: { value: release },
      }) as unknown as LeaseOn<Key, Fencing> & OwnedLease
    },
  )
}

/** Takes the keys one after the other; if one cannot be had, the others are given back in reverse. */
export function acquireAll(wanted: CheckedLockOptions): Promise<SectionLease[]> {
  const { engine, keys, reentrance, waitMs, signal } = wanted
  const nested = heldHere(engine, keys)
  if (nested[0] !== undefined && reentrance === 'refuse') throw new ReentrantLockError(nested[0])
  signal?.throwIfAborted()
  if (keys.length > 1) return acquireSeveral(wanted, nested)
  return acquireOne(keys[0] as string, wanted, waitMs, nested)
}

async function acquireSeveral(wanted: CheckedLockOptions, nested: readonly string[]): Promise<SectionLease[]> {
  const { engine, keys, waitMs } = wanted
  const { clock } = engine.store
  const enteredAtMs = clock.monotonicMs()
  const leases: SectionLease[] = []
  try {
    for (const key of keys) {
      const leftMs = leases.length === 0 ? waitMs : Math.max(0, Math.ceil(waitMs - (clock.monotonicMs() - enteredAtMs)))
      leases.push(...(await acquireOne(key, wanted, leftMs, nested)))
    }
    for (const lease of leases) if (lease.hold.lostByNow()) throw lease.hold.lost
    return leases
  } catch (error) {
    for (const lease of leases.reverse()) void engine.leave(lease)
    throw error
  }
}

/** Publishes the end of the wait in the caller's context: the queue itself runs in the context that released or closed. */
async function acquireOne(
  key: string,
  { engine, ttlMs, signal }: CheckedLockOptions,
  waitMs: number,
  nested: readonly string[],
): Promise<[SectionLease]> {
  const { store } = engine
  const startMs = store.clock.monotonicMs()
  try {
    const lease = await engine.acquire(key, { ttlMs, waitMs, signal, nested: nested.includes(key) })
    acquired(store, startMs, lease)
    return [lease]
  } catch (error) {
    unavailable(store, startMs, key, error)
    throw error
  }
}

/** Resolves when the store has all of them back; nothing to wait for where they were handed on or the store is synchronous. */
export function leaveAll(
  { engine }: CheckedLockOptions,
  leases: readonly SectionLease[],
): Promise<unknown> | undefined {
  if (leases.length === 1) return engine.leave(leases[0] as SectionLease)
  return Promise.all([...leases].reverse().map((lease) => engine.leave(lease)))
}

/** What the caller sees of its leases: the one, or the list. */
export function view(leases: readonly SectionLease[], key: string | readonly string[]): SectionLease | LeaseList {
  return typeof key === 'string' ? (leases[0] as SectionLease) : new LeaseList(leases)
}
