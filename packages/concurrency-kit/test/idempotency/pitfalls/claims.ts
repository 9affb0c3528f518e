import { setImmediate } from 'node:timers/promises'
import { expect } from 'vitest'
import { deferred } from '../../support/rival.ts'
import type { RecordPitfall } from './pitfall.ts'

/** What a call that is in flight, or has failed, means for the next call under its key. */
export const claims: readonly RecordPitfall[] = [
  {
    number: 'X6',
    title: 'a right retry is answered by its record, though a wrong payload under the key is in flight',
    async prove({ one, two, effects }) {
      const [right, wrong] = [{ payload: { amount: 1 } }, { payload: { amount: 2 } }]
      await one.run(right, ({ effect }) => effect().then(() => 'paid'))
      for (const process of [one, two]) {
        const calls = [wrong, right, wrong, right].map((call) => process.run(call, () => expect.unreachable()))
        expect(await Promise.allSettled(calls)).toMatchObject([
          { reason: { code: 'FINGERPRINT_MISMATCH' } },
          { value: 'paid' },
          { reason: { code: 'FINGERPRINT_MISMATCH' } },
          { value: 'paid' },
        ])
      }
      expect(await effects()).toBe(1)
    },
  },
  {
    number: 'X6',
    title: 'a run in flight refuses no other payload: only its record does, and after a failure the other one runs',
    async prove({ key, one, two, effects }) {
      for (const process of [one, two]) {
        const outcomes = []
        for (const fails of [false, true]) {
          const [began, ended] = [deferred<void>(), deferred<void>()]
          const call = { key: `${key}:${process === one}:${fails}`, waitMs: 20_000 }
          const first = one.run({ ...call, payload: 'first' }, async ({ effect }) => {
            began.resolve()
            await ended.promise
            if (fails) throw new Error('declined')
            return effect().then(() => 'first')
          })
          await began.promise
          const second = process.run({ ...call, payload: 'second' }, ({ effect }) => effect().then(() => 'second'))
          const settled = Promise.allSettled([first, second])
          await setImmediate()
          ended.resolve()
          outcomes.push(...(await settled))
        }
        expect(outcomes).toMatchObject([
          { value: 'first' },
          { reason: { code: 'FINGERPRINT_MISMATCH' } },
          { reason: { message: 'declined' } },
          { value: 'second' },
        ])
      }
      expect(await effects()).toBe(4)
    },
  },
]
