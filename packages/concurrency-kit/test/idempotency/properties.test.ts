import fc from 'fast-check'
import { expect, test } from 'vitest'
import { NoEffectError } from '../../src/errors.ts'
import type { LeasedIdempotencyStore } from '../../src/idempotency/idempotency-store.ts'
import { memoryIdempotencyStore } from '../../src/idempotency/stores/memory.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { pause } from '../../src/time/backoff.ts'
import { asAnotherProcess } from '../support/processes.ts'
import { VirtualTime } from '../support/virtual-time.ts'

const PROCESSES = 3

const calls = fc.array(
  fc.record({
    process: fc.nat({ max: PROCESSES - 1 }),
    key: fc.constantFrom('a', 'b'),
    startsAtMs: fc.nat({ max: 2_000 }),
    takesMs: fc.nat({ max: 4_000 }),
    waitMs: fc.constantFrom(0, 500, 60_000),
    ends: fc.constantFrom('returns', 'returns', 'declines', 'throws'),
    leavesAtMs: fc.option(fc.nat({ max: 3_000 }), { nil: undefined, freq: 4 }),
  }),
  { minLength: 1, maxLength: 12 },
)

test('I1, X4: over random calls, failures and departures in three processes: one run at a time, one result, and none after a throw', async () => {
  await fc.assert(
    fc.asyncProperty(calls, async (planned) => {
      const time = new VirtualTime()
      const behind = memoryIdempotencyStore({ environment: time })
      const processes = Array.from({ length: PROCESSES }, () => asAnotherProcess(behind))
      const running = new Map<string, number>()
      const results = new Map<string, Set<number>>()
      /** Keys whose handler threw without saying that nothing happened. */
      const unknown = new Set<string>()
      let effects = 0
      const outcomes = planned.map(async ({ process, key, startsAtMs, takesMs, waitMs, ends, leavesAtMs }) => {
        await pause(startsAtMs, time)
        const left = new AbortController()
        if (leavesAtMs !== undefined) time.setTimer(() => left.abort('left'), leavesAtMs)
        const store = processes[process] as LeasedIdempotencyStore
        const result = await withIdempotency(
          { store, key, waitMs, leaseMs: 300, onAmbiguous: 'refuse', signal: left.signal },
          async () => {
            running.set(key, (running.get(key) ?? 0) + 1)
            expect(running.get(key), `handlers of ${key} at once`).toBe(1)
            expect(unknown.has(key), `${key} had thrown`).toBe(false)
            await pause(takesMs, time)
            running.set(key, 0)
            if (ends === 'declines') throw new NoEffectError('declined')
            if (ends === 'throws') {
              unknown.add(key)
              throw new Error('fetch failed')
            }
            effects += 1
            return effects
          },
        )
        results.set(key, (results.get(key) ?? new Set()).add(result))
      })
      const settled = Promise.allSettled(outcomes)
      await time.advance(70_000)
      for (const outcome of await settled) {
        if (outcome.status === 'fulfilled') continue
        const { code, message } = Object(outcome.reason)
        const known = ['IDEMPOTENCY_IN_PROGRESS', 'declined', 'fetch failed', 'left']
        if (code === 'AMBIGUOUS_OUTCOME') expect(unknown.size).toBeGreaterThan(0)
        else
          expect([code, message, outcome.reason]).toSatisfy((seen: unknown[]) =>
            known.some((one) => seen.includes(one)),
          )
      }
      for (const [key, seen] of results) expect(seen.size, `results of ${key}`).toBe(1)
      expect(effects).toBe(results.size)
      expect(time.pendingTimers).toBe(0)
    }),
    { seed: 20, numRuns: 300 },
  )
})
