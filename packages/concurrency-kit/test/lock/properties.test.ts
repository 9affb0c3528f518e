import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Lease } from '../../src/lock/lease.ts'
import { memoryLockStore } from '../../src/lock/stores/memory.ts'
import { withDistributedLock } from '../../src/lock/with-distributed-lock.ts'
import { pause } from '../../src/time/backoff.ts'
import { type Line, LockStoreOfProcess } from '../support/processes.ts'
import { rivalOn } from '../support/rival.ts'
import { settle, VirtualTime } from '../support/virtual-time.ts'

const PROCESSES = 3
const TTL_MS = 300
const PATIENT_MS = 600_000

const calls = fc.array(
  fc.record({
    process: fc.nat({ max: PROCESSES - 1 }),
    key: fc.constantFrom('a', 'a', 'b'),
    startsAtMs: fc.nat({ max: 200 }),
    takesMs: fc.oneof(fc.constant(0), fc.nat({ max: 2 * TTL_MS })),
    waitMs: fc.constantFrom(PATIENT_MS, PATIENT_MS, 100, 0),
    throws: fc.boolean(),
    leavesAtMs: fc.option(fc.nat({ max: 400 }), { nil: undefined, freq: 4 }),
  }),
  { minLength: 1, maxLength: 10 },
)

/** Times, on the monotonic clock that starts at 1000, in which a process does not reach the store at all. */
const outages = fc.array(
  fc.record({
    process: fc.nat({ max: PROCESSES - 1 }),
    fromMs: fc.integer({ min: 1_000, max: 2_000 }),
    forMs: fc.integer({ min: TTL_MS, max: 3 * TTL_MS }),
  }),
  { maxLength: 4 },
)

type Call = (typeof calls extends fc.Arbitrary<infer Calls> ? Calls : never)[number]

/** Several processes on one store, over time and lines that the test alone moves on. */
class World {
  readonly time = new VirtualTime()
  readonly behind = memoryLockStore({ environment: this.time })
  readonly stores: readonly LockStoreOfProcess<true>[]
  readonly #scheduler: fc.Scheduler
  readonly #inside = new Map<string, Set<Lease>>()
  readonly #lastToken = new Map<string, bigint>()
  /** By process and key, the calls in the order in which they came, and in which their sections began. */
  readonly #came = new Map<string, number[]>()
  readonly #began = new Map<string, number[]>()

  constructor(scheduler: fc.Scheduler, lineOf: (process: number) => Line) {
    this.#scheduler = scheduler
    this.stores = Array.from(
      { length: PROCESSES },
      (_, process) => new LockStoreOfProcess(this.behind, lineOf(process)),
    )
  }

  async call({ process, key, startsAtMs, takesMs, waitMs, throws, leavesAtMs }: Call, index: number): Promise<void> {
    await pause(startsAtMs, this.time)
    const left = new AbortController()
    const leaving = leavesAtMs === undefined ? undefined : this.time.setTimer(() => left.abort('left'), leavesAtMs)
    const store = this.stores[process] as LockStoreOfProcess<true>
    append(this.#came, `${process} ${key}`, index)
    try {
      await withDistributedLock({ store, key, waitMs, ttlMs: TTL_MS, signal: left.signal }, async (lease) => {
        append(this.#began, `${process} ${key}`, index)
        this.#enter(key, lease, lease.fencingToken)
        await pause(takesMs, this.time)
        this.#inside.get(key)?.delete(lease)
        if (throws) throw 'declined'
      })
    } finally {
      this.time.clearTimer(leaving)
    }
  }

  /** Moves lines and time on until every call has ended and nothing is under way. */
  async run(ended: Promise<unknown>, passes: () => boolean): Promise<void> {
    let over = false
    void ended.then(() => {
      over = true
    })
    const endMs = this.time.monotonicMs() + PATIENT_MS
    await settle()
    while (!over || this.#scheduler.count() > 0) {
      expect(this.time.monotonicMs(), 'somebody was never woken').toBeLessThan(endMs)
      if (this.#scheduler.count() > 0 && !passes()) await this.#scheduler.waitOne()
      else await this.time.advance(20)
      await settle()
      for (const leases of this.#inside.values()) expect([...leases].filter(isLive).length).toBeLessThanOrEqual(1)
    }
    for (const [queue, began] of this.#began)
      expect(began).toEqual(this.#came.get(queue)?.filter((index) => began.includes(index)))
  }

  /** Keys, timers and watchers: as before. */
  async expectNothingLeft(): Promise<void> {
    expect(this.time.pendingTimers).toBe(0)
    for (const { watchers } of this.stores) expect(watchers).toBe(0)
    for (const key of ['a', 'b']) expect(await rivalOn(this.behind, key).acquire()).toMatchObject({ acquired: true })
  }

  #enter(key: string, lease: Lease, token: bigint): void {
    const inside = this.#inside.get(key) ?? new Set()
    this.#inside.set(key, inside.add(lease))
    expect(token).toBeGreaterThan(this.#lastToken.get(key) ?? 0n)
    this.#lastToken.set(key, token)
  }
}

test('L15, L20, L21: over random orders of commands in three processes: one at a time, first in first out in each, nobody forgotten, nothing left', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), calls, async (scheduler, planned) => {
      const under = new World(scheduler, () => async (command) => {
        await scheduler.schedule(Promise.resolve(), 'request')
        const answer = await command()
        await scheduler.schedule(Promise.resolve(), 'reply')
        return answer
      })
      const ended = Promise.allSettled(planned.map((call, index) => under.call(call, index)))
      await under.run(ended, () => false)
      for (const [index, outcome] of (await ended).entries()) {
        if (outcome.status === 'fulfilled') continue
        const { waitMs, leavesAtMs, throws } = planned[index] as Call
        const allowed = [
          throws && 'declined',
          leavesAtMs !== undefined && 'left',
          waitMs < PATIENT_MS && 'LOCK_UNAVAILABLE',
        ]
        expect(allowed).toContain(Object(outcome.reason).code ?? outcome.reason)
      }
      await under.expectNothingLeft()
    }),
    { seed: 1965, numRuns: 200 },
  )
})

test('L15, L20, L21: over random losses and delays of commands: never two live leases, tokens increase, everybody ends, nothing left', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      calls,
      outages,
      fc.infiniteStream(fc.constantFrom('answer', 'answer', 'answer', 'answer', 'lose request', 'lose reply')),
      fc.infiniteStream(fc.nat({ max: 9 })),
      async (scheduler, planned, down, faults, chance) => {
        const under: World = new World(scheduler, (process) => async (command) => {
          const fault = faults.next().value
          await scheduler.schedule(Promise.resolve(), 'request')
          const atMs = under.time.monotonicMs()
          const isDown = down.some(
            (time) => time.process === process && atMs >= time.fromMs && atMs < time.fromMs + time.forMs,
          )
          if (isDown || fault === 'lose request') throw new Error('connection refused')
          const answer = await command()
          await scheduler.schedule(Promise.resolve(), 'reply')
          if (fault === 'lose reply') throw new Error('connection reset')
          return answer
        })
        const ended = Promise.allSettled(planned.map((call, index) => under.call(call, index)))
        await under.run(ended, () => chance.next().value === 0)
        for (const outcome of await ended) {
          if (outcome.status === 'fulfilled') continue
          const allowed = ['declined', 'left', 'LOCK_UNAVAILABLE', 'STORE_ERROR', 'LEASE_LOST']
          expect(allowed).toContain(Object(outcome.reason).code ?? outcome.reason)
        }
        // What was abandoned lasts for one TTL.
        await under.time.advance(TTL_MS)
        await under.expectNothingLeft()
      },
    ),
    { seed: 1968, numRuns: 200 },
  )
})

function isLive(lease: Lease): boolean {
  try {
    lease.assertHeld()
    return true
  } catch {
    return false
  }
}

function append(map: Map<string, number[]>, key: string, index: number): void {
  map.set(key, [...(map.get(key) ?? []), index])
}
