import { setImmediate } from 'node:timers/promises'
import { expect } from 'vitest'
import type { LeasedIdempotencyStore } from '../../../src/idempotency/idempotency-store.ts'
import { withIdempotency } from '../../../src/idempotency/with-idempotency.ts'
import { asAnotherProcess } from '../../support/processes.ts'
import { deferred } from '../../support/rival.ts'
import { notOn, type RecordPitfall, TRANSACTIONAL } from './pitfall.ts'

/** How often a handler runs, and what becomes of its effect. */
export const runs: readonly RecordPitfall[] = [
  {
    number: 'I1',
    title: 'processes that call at once run it once, and get equal answers',
    async prove({ one, two, open, effects }) {
      let ran = 0
      const calls = [one, two, await open()].flatMap((process) =>
        Array.from({ length: 4 }, () =>
          process.run({ waitMs: 20_000 }, async ({ effect }) => {
            ran += 1
            await effect()
            await setImmediate()
            return { ran }
          }),
        ),
      )
      const answers = await Promise.all(calls)
      expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
      expect(await effects()).toBe(1)
    },
  },
  {
    number: 'I2',
    title: 'one that fails late does not free the key of its successor',
    not: notOn(TRANSACTIONAL, 'a claim ends with its transaction: nobody succeeds to one that can still write'),
    async prove({ key, one, two, open }) {
      const behind = one.store as LeasedIdempotencyStore
      const abandoned = deferred<boolean>()
      // Cut off from renewing, and heard again when it is late.
      const store = asAnotherProcess(behind, {
        renew: () => Promise.reject(new Error('unreachable')),
        abandon: async (request) => {
          const answer = await behind.abandon(request)
          abandoned.resolve(answer)
          return answer
        },
      })
      const [late, began, live] = [deferred<never>(), deferred<void>(), deferred<string>()]
      const zombie = withIdempotency({ store, key, leaseMs: 100, onAmbiguous: 'rerun' }, () => late.promise)
      const outcome = zombie.catch((error: unknown) => error)
      await expect.poll(async () => (await behind.find({ key, scope: '' })) ?? 'claimed').toBe('claimed')
      const successor = two.run({ waitMs: 20_000 }, () => {
        began.resolve()
        return live.promise
      })
      await began.promise
      late.reject(new Error('late'))
      expect(await outcome).toMatchObject({ message: 'late' })
      expect(await abandoned.promise).toBe(false)
      const third = (await open()).run({ waitMs: 20_000 }, () => expect.unreachable())
      live.resolve('paid')
      expect(await Promise.all([successor, third])).toEqual(['paid', 'paid'])
    },
  },
  {
    number: 'I3',
    title: 'an effect whose record cannot be stored is undone, or ambiguous, and never done again',
    async prove({ one, two, effects, leased }) {
      const call = one.run({ onAmbiguous: 'refuse', leaseMs: 200 }, async ({ effect, spoil }) => {
        await effect()
        await spoil()
      })
      await expect(call).rejects.toMatchObject({ code: leased ? 'AMBIGUOUS_OUTCOME' : 'STORE_ERROR' })
      expect(await effects()).toBe(leased ? 1 : 0)
      const again = two.run({ onAmbiguous: 'refuse' }, ({ effect }) => effect().then(() => 'done'))
      expect(await again.catch(({ code }) => code)).toBe(leased ? 'AMBIGUOUS_OUTCOME' : 'done')
      expect(await effects()).toBe(1)
    },
  },
  {
    number: 'I6',
    title: 'an error that looks like one of ours or of the database comes through as thrown, and runs once',
    async prove({ one, effects, leased }) {
      const names = ['IdempotencyInProgressError', 'LeaseLostError', 'error']
      const codes = [
        'IDEMPOTENCY_IN_PROGRESS',
        'STORE_ERROR',
        '40001',
        '23505',
        '55P03',
        'SQLITE_BUSY',
        'AMBIGUOUS_OUTCOME',
      ]
      let ran = 0
      for (const code of codes) {
        for (const name of names) {
          const own = Object.assign(new Error('of its own'), { code, name })
          const call = one.run({ onAmbiguous: 'refuse', hadNoEffect: () => true }, async ({ effect }) => {
            ran += 1
            await effect()
            throw own
          })
          await expect(call).rejects.toBe(own)
        }
      }
      expect(ran).toBe(names.length * codes.length)
      expect(await effects()).toBe(leased ? ran : 0)
    },
  },
  {
    number: 'I7',
    title: 'a result that cannot be stored takes its effect back, or leaves it to onAmbiguous',
    async prove({ one, two, effects, leased }) {
      const call = one.run({ onAmbiguous: 'refuse' }, async ({ effect }) => {
        await effect()
        return { price: 1n }
      })
      await expect(call).rejects.toMatchObject({ code: 'RESULT_NOT_SERIALIZABLE', path: '$.price' })
      const again = two.run({ onAmbiguous: 'refuse' }, ({ effect }) => effect().then(() => 'done'))
      expect(await again.catch(({ code }) => code)).toBe(leased ? 'AMBIGUOUS_OUTCOME' : 'done')
      expect(await effects()).toBe(1)
    },
  },
  {
    number: 'I10',
    title: 'the same payload under two keys is done twice',
    async prove({ key, one, two, effects }) {
      const order = { payload: { item: 1, amount: 10_000 } }
      const [first, second] = [
        { ...order, key: `${key}:1` },
        { ...order, key: `${key}:2` },
      ]
      for (const call of [first, second, first, second]) await one.run(call, ({ effect }) => effect())
      for (const call of [first, second]) await two.run(call, ({ effect }) => effect())
      expect(await effects()).toBe(2)
    },
  },
]
