import assert from 'node:assert/strict'
import { once } from 'node:events'
import { isLeaseLostError, isLockUnavailableError, isStoreError } from '../../errors.ts'
import { events } from '../../events.ts'
import { acquireLock } from '../../lock/acquire-lock.ts'
import type { FencingToken } from '../../lock/lease.ts'
import type { LockStore } from '../../lock/lock-store.ts'
import { withDistributedLock } from '../../lock/with-distributed-lock.ts'
import type { Prove } from '../runner.ts'
import type { StoreObjects } from '../store-objects.ts'
import { type Holder, holderOn, type LockStoreAbilities } from './scene.ts'

/** Callers on `store`, with a rival on the other store object. */
export interface Callers extends StoreObjects<LockStore> {
  readonly key: string
  readonly holder: Holder
}

export function callersOn({ store, rival }: StoreObjects<LockStore>, key: string): Callers {
  return { store, rival, key, holder: holderOn(rival, key) }
}

/** Tests what callers get from the lock engine above a store. */
export function lockCallers(prove: Prove<Callers>, { fencing }: Required<LockStoreAbilities>): void {
  prove('the engine excludes: many sections, never two at once, first in first out', async ({ store, key }) => {
    const { enter, order } = sections()
    const indexes = Array.from({ length: 30 }, (_, index) => index)
    await Promise.all(indexes.map((index) => withDistributedLock({ store, key, waitMs: 30_000 }, () => enter(index))))
    assert.deepEqual(order, indexes)
  })

  prove('sections through two store objects never overlap, and all of them run', async ({ store, rival, key }) => {
    const { enter, order } = sections()
    const tokens: bigint[] = []
    await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        withDistributedLock({ store: index % 2 === 0 ? store : rival, key, waitMs: 30_000 }, (lease) => {
          const { fencingToken } = lease as Partial<FencingToken>
          if (fencingToken !== undefined) tokens.push(fencingToken)
          return enter(index)
        }),
      ),
    )
    assert.equal(order.length, 30)
    if (fencing) assert.equal(tokens.length, 30)
    for (const [index, token] of tokens.entries()) assert.ok(index === 0 || token > (tokens[index - 1] as bigint))
  })

  prove('after the call the key is free on the store', async ({ store, key, holder }) => {
    assert.equal(await withDistributedLock({ store, key }, async () => (await holder.acquire()).acquired), false)
    assert.equal((await holder.acquire()).acquired, true)
  })

  prove('a caller waits for a rival’s release, and gets the key', async ({ store, key, holder }) => {
    await holder.acquire(20_000)
    const running = withDistributedLock({ store, key, waitMs: 15_000 }, () => 'mine')
    await new Promise(setImmediate)
    await holder.release()
    assert.equal(await running, 'mine')
  })

  prove('waitMs: 0 tries once, and waitMs is kept', async ({ store, key, holder }) => {
    await holder.acquire(20_000)
    const refuse = (waitMs: number) =>
      assert.rejects(
        withDistributedLock({ store, key, waitMs }, () => assert.fail('ran')),
        isLockUnavailableError,
      )
    await refuse(0)
    await refuse(50)
    await holder.release()
    assert.equal(await withDistributedLock({ store, key, waitMs: 0 }, () => 'free'), 'free')
  })

  prove('a lease outlives its TTL while its section runs', async ({ store, key, holder }) => {
    const outlives = (ttlMs: number) =>
      withDistributedLock({ store, key, ttlMs, whenLost: 'return' }, async (lease) => {
        const endAt = performance.now() + 3 * ttlMs
        while (performance.now() < endAt) {
          if (!(await holder.acquire()).acquired) await new Promise((resolve) => setTimeout(resolve, ttlMs / 10))
          else {
            assert.throws(() => lease.assertHeld(), isLeaseLostError, 'two holders at once')
            await holder.release()
            return false
          }
        }
        return !lease.signal.aborted
      })
    // If the machine pauses for longer than the TTL, the lease is rightly lost: then a longer TTL must pass.
    assert.ok((await outlives(300)) || (await outlives(1_500)), 'it was not renewed')
  })

  prove('a lease that the store forgot is known to be lost', async ({ store, key }) => {
    let holder = ''
    const learn = (granted: { key: string; holder: string }) => {
      if (granted.key === key) holder = granted.holder
    }
    events.lock.acquired.subscribe(learn)
    const { signal } = new AbortController()
    const lost = withDistributedLock({ store, key, ttlMs: 300 }, async (lease) => {
      events.lock.acquired.unsubscribe(learn)
      assert.equal(await store.release({ key, holder, signal }), true)
      await once(lease.signal as AbortSignal, 'abort')
      assert.throws(() => lease.assertHeld(), isLeaseLostError)
      return 'late'
    })
    await assert.rejects(
      lost,
      (error) => isLeaseLostError(error) && error.outcome.status === 'fulfilled' && error.outcome.value === 'late',
    )
  })

  prove('close() rejects those who wait, takes leases away and releases them', async ({ store, key, holder }) => {
    const held = await acquireLock({ store, key })
    const waiting = assert.rejects(acquireLock({ store, key }), isStoreError)
    await new Promise(setImmediate)
    await store.close()
    await waiting
    assert.throws(() => held.assertHeld(), isLeaseLostError)
    await assert.rejects(acquireLock({ store, key }), isStoreError)
    assert.equal((await holder.acquire()).acquired, true)
  })
}

/** Sections that take a moment, and fail if two overlap. */
function sections() {
  let inside = 0
  const order: number[] = []
  const enter = async (index: number) => {
    inside += 1
    assert.equal(inside, 1, 'two sections at once')
    await new Promise(setImmediate)
    order.push(index)
    inside -= 1
  }
  return { enter, order }
}
