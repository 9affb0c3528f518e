import { describe, expect, test } from 'vitest'
import {
  isAmbiguousOutcomeError,
  isIdempotencyInProgressError,
  isLeaseLostError,
  isStoreError,
} from '../../src/errors.ts'
import type { LeasedIdempotencyStore } from '../../src/idempotency/idempotency-store.ts'
import type { LeasedContext } from '../../src/idempotency/leased-run.ts'
import { memoryIdempotencyStore } from '../../src/idempotency/stores/memory.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { asAnotherProcess } from '../support/processes.ts'
import { deferred } from '../support/rival.ts'
import { settle, VirtualTime } from '../support/virtual-time.ts'

const key = 'payment-1'
const leaseMs = 3_000

/** Several processes on one store: each has an object of its own, so that they do not join in this one. */
function setUp() {
  const time = new VirtualTime()
  const behind = memoryIdempotencyStore({ environment: time })
  const process = (faults: Partial<LeasedIdempotencyStore> = {}, waitMs = 60_000) => {
    const store = asAnotherProcess(behind, faults)
    return {
      call: <Result extends string | number>(
        handler: (context: LeasedContext) => Promise<Result>,
        onAmbiguous: 'rerun' | 'refuse' = 'rerun',
      ) => withIdempotency<string | number>({ store, key, leaseMs, waitMs, onAmbiguous }, handler),
    }
  }
  /** One whose renewals do not reach the store any more, as if it were cut off. */
  const cutOff = () => process({ renew: () => Promise.reject(new Error('unreachable')) })
  return { time, behind, process, cutOff }
}

const never = async (): Promise<number> => expect.unreachable('this handler must not run')
const outcomeOf = (call: Promise<unknown>) => call.catch((error: unknown) => error)

describe('while the owner lives', () => {
  test('I1: three processes at once run it once, and get equal answers', async () => {
    const { time, process } = setUp()
    let ran = 0
    const calls = [1, 2, 3].map(() =>
      process().call(async () => {
        ran += 1
        return ran
      }),
    )
    await time.advance(1_000)
    expect(await Promise.all(calls)).toEqual([1, 1, 1])
  })

  test('its claim is renewed for as long as the handler takes', async () => {
    const { time, process } = setUp()
    const done = deferred<string>()
    const owner = process().call(({ signal }) => done.promise.then((result) => (signal.aborted ? 'lost' : result)))
    const other = process().call(never)
    await time.advance(10 * leaseMs)
    done.resolve('paid')
    await time.advance(1_000)
    expect(await Promise.all([owner, other])).toEqual(['paid', 'paid'])
    expect(time.pendingTimers).toBe(0)
  })

  test('another process waits no longer than waitMs', async () => {
    const { time, process } = setUp()
    const done = deferred<number>()
    const owner = process().call(() => done.promise)
    await settle()
    const other = outcomeOf(process({}, 500).call(never))
    await time.advance(500)
    expect(isIdempotencyInProgressError(await other)).toBe(true)
    done.resolve(1)
    expect(await owner).toBe(1)
  })
})

describe('an owner that is cut off', () => {
  test('learns of it before its key can be another’s: its signal aborts, assertOwned throws', async () => {
    const { time, cutOff, process } = setUp()
    const seen: string[] = []
    const zombie = outcomeOf(
      cutOff().call((context) => {
        context.assertOwned()
        context.signal.addEventListener('abort', () => {
          seen.push('lost')
          expect(isLeaseLostError(context.signal.reason)).toBe(true)
          expect(() => context.assertOwned()).toThrow(/was lost/)
        })
        return new Promise<number>(() => {})
      }),
    )
    await settle()
    const successor = process().call(async () => {
      seen.push('taken over')
      return 2
    })
    await time.advance(leaseMs + 500)
    expect(await successor).toBe(2)
    expect(seen).toEqual(['lost', 'taken over'])
    void zombie
  })

  test('I2: its late failure does not free the key of its successor', async () => {
    const { time, cutOff, process } = setUp()
    const late = deferred<number>()
    const zombie = outcomeOf(cutOff().call(() => late.promise))
    await time.advance(leaseMs + 1)
    const done = deferred<number>()
    const successor = process().call(() => done.promise)
    await time.advance(1)
    late.reject(new Error('declined late'))
    expect(await zombie).toMatchObject({ message: 'declined late' })
    const third = process().call(never)
    await time.advance(100)
    done.resolve(2)
    await time.advance(1_000)
    expect(await Promise.all([successor, third])).toEqual([2, 2])
  })

  test('I2: its late result is refused, and the successor’s stands', async () => {
    const { time, cutOff, process } = setUp()
    const late = deferred<number>()
    const zombie = outcomeOf(cutOff().call(() => late.promise))
    await time.advance(leaseMs + 1)
    expect(await process().call(async ({ attempt }) => attempt)).toBe(2)
    late.resolve(1)
    expect(isAmbiguousOutcomeError(await zombie)).toBe(true)
    expect(await process().call(never)).toBe(2)
  })

  test('a result that comes late, but before anybody took over, still counts', async () => {
    const { time, cutOff, process } = setUp()
    const late = deferred<number>()
    const owner = cutOff().call(() => late.promise)
    await time.advance(2 * leaseMs)
    late.resolve(1)
    expect(await owner).toBe(1)
    expect(await process().call(never)).toBe(1)
  })
})

describe('I11: a key whose owner died', () => {
  async function died() {
    const all = setUp()
    void outcomeOf(all.cutOff().call(() => new Promise<number>(() => {})))
    await all.time.advance(leaseMs + 1)
    return all
  }

  test('rerun: is taken over at once after its lease, not after its retention', async () => {
    const { process } = await died()
    expect(await process().call(async ({ attempt, idempotencyKey }) => `${idempotencyKey} ${attempt}`)).toBe(
      'payment-1 2',
    )
  })

  test('refuse: is ambiguous, and says so to everybody', async () => {
    const { process } = await died()
    for (let caller = 0; caller < 3; caller += 1) {
      expect(isAmbiguousOutcomeError(await outcomeOf(process().call(never, 'refuse')))).toBe(true)
    }
  })
})

describe('a store that fails', () => {
  test('I13: one that hangs ends in a StoreError in bounded time; nothing ran', async () => {
    const { time, process } = setUp()
    const call = outcomeOf(process({ claim: () => new Promise(() => {}) }).call(never))
    await time.advance(4_000)
    expect(isStoreError(await call)).toBe(true)
    expect(time.pendingTimers).toBe(0)
  })

  test('a claim whose reply was lost is asked for again, and is not waited for', async () => {
    const { behind, process } = setUp()
    let asked = 0
    const claim: LeasedIdempotencyStore['claim'] = async (request) => {
      const answer = await behind.claim(request)
      asked += 1
      if (asked === 1) throw new Error('connection reset')
      return answer
    }
    expect(await process({ claim }).call(async ({ attempt }) => attempt)).toBe(1)
  })

  test('I3: a result that cannot be stored is no failure of the handler: the outcome is ambiguous, and nothing runs again', async () => {
    const { time, process } = setUp()
    const call = outcomeOf(process({ complete: () => Promise.reject(new Error('disk full')) }).call(async () => 1))
    await time.advance(10_000)
    expect(isAmbiguousOutcomeError(await call)).toBe(true)
    expect(isAmbiguousOutcomeError(await outcomeOf(process().call(never, 'refuse')))).toBe(true)
  })
})
