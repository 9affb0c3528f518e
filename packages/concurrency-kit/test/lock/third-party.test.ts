import { setTimeout } from 'node:timers/promises'
import { describe, test } from 'vitest'
import { lockStoreContract } from '../../src/entries/testing.ts'
import type { AcquireRequest, AcquireResult, ReleaseRequest } from '../../src/index.ts'
import { outcomesOf } from '../support/outcomes.ts'
import { LockStoreOfProcess } from '../support/processes.ts'
import { ThirdPartyLockStore } from '../support/third-party-store.ts'

lockStoreContract({ describe, test }, 'by a third party', async () => opened(new ThirdPartyLockStore()))

/** Looks first and takes then, with time between the two. */
class DoubleHolder extends ThirdPartyLockStore {
  override async tryAcquire(request: AcquireRequest): Promise<AcquireResult> {
    const { key, holder, ttlMs, tokens } = request
    if (this.live(key) !== undefined) return super.tryAcquire(request)
    await this.onItsWay()
    this.leases.set(key, { holder, endsAtMs: performance.now() + ttlMs })
    const firstToken = this.nextToken
    this.nextToken += BigInt(tokens)
    return { acquired: true, firstToken, tokens }
  }
}

/** Releases whatever lease there is. */
class WrongRelease extends ThirdPartyLockStore {
  override release(request: ReleaseRequest): Promise<boolean> {
    return super.release({ ...request, holder: this.live(request.key)?.holder ?? request.holder })
  }
}

/** Counts by key, and forgets the count with the lease. */
class TokenGoingBackwards extends ThirdPartyLockStore {
  override tryAcquire(request: AcquireRequest): Promise<AcquireResult> {
    if (this.live(request.key) === undefined) this.nextToken = 1n
    return super.tryAcquire(request)
  }
}

/** Says once that it watches, and never that a key was released. */
class LostWakeUp extends ThirdPartyLockStore {
  override watch(_key: string, mayBeFree: () => void): () => void {
    mayBeFree()
    return () => {}
  }
}

/** Waits some seconds for the key and takes it then, whether anybody still listens or not. */
class LateAcquire extends ThirdPartyLockStore {
  override async tryAcquire(request: AcquireRequest): Promise<AcquireResult> {
    const endMs = performance.now() + 6_000
    for (;;) {
      const answer = await super.tryAcquire(request)
      if (answer.acquired || performance.now() > endMs) return answer
      await setTimeout(5)
    }
  }
}

/** Takes its time over the answer, and the lease is over when it comes. */
class LateAnswer extends ThirdPartyLockStore {
  override async tryAcquire(request: AcquireRequest): Promise<AcquireResult> {
    const answer = await super.tryAcquire(request)
    if (answer.acquired) await setTimeout(Math.min(request.ttlMs, 1_000))
    return answer
  }
}

describe('the published contract catches a lock store', () => {
  for (const [fault, Store, seenBy] of [
    [
      'with two holders at once',
      DoubleHolder,
      'through one store object > of many concurrent attempts, at most one is granted',
    ],
    [
      'whose release does not look at the holder',
      WrongRelease,
      'through one store object > a release by another holder changes nothing',
    ],
    [
      'whose tokens go backwards',
      TokenGoingBackwards,
      'through one store object > fencing tokens increase over releases and ranges',
    ],
    [
      'that loses wake-ups',
      LostWakeUp,
      'through one store object > a watcher is notified of a release, and not after it has stopped',
    ],
    [
      'that acquires late',
      LateAcquire,
      'through one store object > an attempt on a held key is refused at once, and takes nothing later',
    ],
    ['that answers late', LateAnswer, 'through one store object > a grant is answered while its lease lasts'],
  ] as const) {
    test.concurrent(fault, async ({ expect }) => {
      const { failed, passed } = await outcomesOf((runner) =>
        lockStoreContract(runner, fault, async () => opened(new Store())),
      )
      expect(failed).toContain(seenBy)
      expect(passed).not.toEqual([])
    })
  }
})

function opened(store: ThirdPartyLockStore) {
  const rival = new LockStoreOfProcess(store, async (command) => command())
  return { store, rival, close: () => store.close() }
}
