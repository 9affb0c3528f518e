import { LeaseLostError } from '../errors.ts'
import { traced, traces } from '../events.ts'
import { functionOption, oneOf } from '../options.ts'
import { acquireAll, leaveAll, view } from './acquire-lock.ts'
import { runHolding } from './held-leases.ts'
import type { LeaseOn, SectionLease } from './lease.ts'
import { type CheckedLockOptions, checkLockOptions, type LockOptions } from './lock-options.ts'

export interface DistributedLockOptions<Key extends string | readonly string[], Fencing extends boolean>
  extends LockOptions<Key, Fencing> {
  /**
   * What becomes of a section's result when its lease was lost meanwhile: reject with `LeaseLostError`, or return it all
   * the same, where a second guard below has decided already. @defaultValue 'throw'
   */
  readonly whenLost?: 'throw' | 'return'
}

/**
 * Runs `section` while holding a lease on `key`, and releases it afterwards.
 *
 * Exclusion holds only while the lease is live and the store keeps what it acknowledged: pass `lease.fencingToken` or a
 * version to every write that must not be late. What `section` throws comes through as it is, before the release.
 *
 * @param options.ttlMs - Lease length in ms, integer >= 1; renewed while `section` runs. @defaultValue 10_000
 * @param options.waitMs - Longest wait in ms for all keys, integer >= 0; 0 tries once. @defaultValue 5_000
 * @param options.signal - Ends the wait; rejects with its reason. A section that has begun is not touched.
 * @param options.reentrance - `'wait'` waits even for a key that this asynchronous context holds. @defaultValue 'refuse'
 * @param options.whenLost - `'return'` hands a result on although the lease was lost. @defaultValue 'throw'
 * @throws TypeError, RangeError for bad options; `section` did not run.
 * @throws LockUnavailableError held by another after `waitMs`; `section` did not run.
 * @throws ReentrantLockError this asynchronous context holds the key, with `reentrance: 'refuse'`; `section` did not run.
 * @throws StoreError the store failed or is closed; `section` did not run.
 * @throws LeaseLostError the lease was lost while `section` ran; its effects may stand, its result is in `outcome`.
 * @see Gray & Cheriton 1989 (leases); Kleppmann 2016 (fencing); Dice, Marathe & Shavit 2012 (hand-off)
 * @example
 * await withDistributedLock({ store, key: `balance:user:${userId}` }, (lease) => debit(userId, lease.fencingToken))
 */
export function withDistributedLock<const Key extends string | readonly string[], Fencing extends boolean, Result>(
  options: DistributedLockOptions<Key, Fencing>,
  section: (lease: LeaseOn<Key, Fencing>) => Result | PromiseLike<Result>,
): Promise<Result> {
  let checked: CheckedLockOptions
  let whenLost: 'throw' | 'return'
  try {
    checked = checkLockOptions(options)
    whenLost = oneOf('whenLost', options.whenLost ?? 'throw', ['throw', 'return'])
    functionOption('section', section)
  } catch (error) {
    return Promise.reject(error)
  }
  return traced(
    traces.lock,
    () => ({ store: checked.engine.store.name, key: options.key }),
    () => runSection(checked, whenLost, options.key, section),
  )
}

async function runSection<Key extends string | readonly string[], Fencing extends boolean, Result>(
  checked: CheckedLockOptions,
  whenLost: 'throw' | 'return',
  key: Key,
  section: (lease: LeaseOn<Key, Fencing>) => Result | PromiseLike<Result>,
): Promise<Result> {
  const leases = await acquireAll(checked)
  let value: Result
  try {
    const lease = view(leases, key) as unknown as LeaseOn<Key, Fencing>
    value = await runHolding(checked.engine, leases, () => section(lease))
  } catch (error) {
    void leaveAll(checked, leases)
    throw error
  }
  const lost = leases.find(isLost)
  await leaveAll(checked, leases)
  if (lost === undefined || whenLost === 'return') return value
  throw new LeaseLostError(lost.key, 'while its section ran', {
    cause: lost.hold.lost,
    outcome: { status: 'fulfilled', value },
  })
}

function isLost({ hold }: SectionLease): boolean {
  return hold.lostByNow()
}
