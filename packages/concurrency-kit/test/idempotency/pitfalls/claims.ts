import { setImmediate } from 'node:timers/promises'
import { expect } from 'vitest'
import { NoEffectError } from '../../../src/errors.ts'
import { deferred } from '../../support/rival.ts'
import { notOn, type RecordPitfall, TRANSACTIONAL } from './pitfall.ts'

const rolledBack = notOn(TRANSACTIONAL, 'the effect of a handler that throws is rolled back')

/** What a call that is in flight, or has failed, means for the next call under its key. */
export const claims: readonly RecordPitfall[] = [
  {
    number: 'X4',
    title: 'at most once: a handler that throws, and does not say that nothing happened, runs once in three calls',
    not: rolledBack,
    async prove({ one, two, open, effects }) {
      const outcomes = []
      for (const process of [one, two, await open()]) {
        const call = process.run({ onAmbiguous: 'refuse' }, async ({ effect }) => {
          await effect()
          throw new TypeError('fetch failed')
        })
        outcomes.push(await call.catch((error) => error))
      }
      expect(await effects()).toBe(1)
      expect(outcomes).toMatchObject([
        { message: 'fetch failed' },
        { code: 'AMBIGUOUS_OUTCOME' },
        { code: 'AMBIGUOUS_OUTCOME' },
      ])
    },
  },
  {
    number: 'X4',
    title: 'a probe is asked after a handler that threw, before it runs again',
    not: rolledBack,
    async prove({ one, two, effects }) {
      const fails = one.run({ onAmbiguous: async () => expect.unreachable() }, async ({ effect }) => {
        await effect()
        throw new TypeError('fetch failed')
      })
      await expect(fails).rejects.toThrow('fetch failed')
      const probed = two.run({ onAmbiguous: async () => ({ found: true, result: 'paid' }) }, () => expect.unreachable())
      expect(await probed).toBe('paid')
      expect(await effects()).toBe(1)
    },
  },
  {
    number: 'X4',
    title: 'an error that says that nothing happened frees the key, and comes through as thrown',
    not: rolledBack,
    async prove({ key, one, two }) {
      const declined = new Error('declined')
      const cases = [
        [new NoEffectError('declined'), {}],
        [declined, { hadNoEffect: (error: unknown) => error === declined }],
        [declined, { onAmbiguous: 'rerun' }],
      ] as const
      for (const [index, [error, options]] of cases.entries()) {
        const call = { key: `${key}:${index}`, onAmbiguous: 'refuse' } as const
        const failed = one.run({ ...call, ...options }, () => Promise.reject(error))
        await expect(failed).rejects.toBe(error)
        // A free key takes another payload; an ambiguous one would refuse it.
        expect(await two.run({ ...call, payload: 'another' }, () => 'done')).toBe('done')
      }
    },
  },
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
