import fc from 'fast-check'
import { expect, test } from 'vitest'
import { backoffMs, pause } from '../../src/time/backoff.ts'
import { VirtualTime } from '../support/virtual-time.ts'

test('C5: a pause is anywhere below a ceiling that doubles to its cap, at any attempt', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 1_000 }),
      fc.nat({ max: 60_000 }),
      fc.integer({ min: 1, max: 5_000 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (baseMs, more, attempt, share) => {
        const capMs = baseMs + more
        const ms = backoffMs({ baseMs, capMs }, attempt, () => share)
        const ceilingMs = baseMs === 0 ? 0 : Math.min(capMs, baseMs * 2 ** (attempt - 1))
        expect(ms).toBe(share * ceilingMs)
      },
    ),
  )
})

test('an abort ends a pause with its reason, and leaves no timer', async () => {
  const time = new VirtualTime()
  const abort = new AbortController()
  const paused = pause(1_000, time, abort.signal).catch((error) => error)
  abort.abort('left')
  expect(await paused).toBe('left')
  expect(time.pendingTimers).toBe(0)
  await expect(pause(1_000, time, abort.signal)).rejects.toBe('left')
})
