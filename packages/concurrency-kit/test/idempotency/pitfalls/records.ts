import { expect } from 'vitest'
import { findReplay } from '../../../src/idempotency/find-replay.ts'
import { fingerprintOf } from '../../../src/idempotency/fingerprint.ts'
import type { LeasedIdempotencyStore } from '../../../src/idempotency/idempotency-store.ts'
import { FaultyLine } from '../../support/faulty-line.ts'
import { deferred } from '../../support/rival.ts'
import { SkewedTime } from '../../support/skewed-time.ts'
import { notOn, type RecordPitfall, TRANSACTIONAL } from './pitfall.ts'

const HOUR_MS = 3_600_000

/** What a record answers, to whom, and for how long. */
export const records: readonly RecordPitfall[] = [
  {
    number: 'I4',
    title: 'a handler that changes its input changes nothing for an identical retry',
    async prove({ one, two, effects }) {
      const payload = { items: [1] }
      const order = one.run({ payload }, async ({ effect }) => {
        payload.items.push(2)
        await effect()
        return 'done'
      })
      expect(await order).toBe('done')
      expect(await two.run({ payload: { items: [1] } }, () => expect.unreachable())).toBe('done')
      for (const process of [one, two])
        await expect(process.run({ payload }, () => 'other')).rejects.toMatchObject({ code: 'FINGERPRINT_MISMATCH' })
      expect(await effects()).toBe(1)
    },
  },
  {
    number: 'I8',
    title: 'a process whose clock is an hour off neither takes over what runs nor forgets what is done',
    not: notOn(['memory'], 'one process has one clock'),
    async prove({ key, one, open }) {
      for (const hours of [-1, 1]) {
        const environment = new SkewedTime()
        environment.stepWall(hours * HOUR_MS)
        const off = await open({ environment })
        const call = { key: `${key}:${hours}`, retentionMs: HOUR_MS / 2 }
        const [began, done] = [deferred<void>(), deferred<string>()]
        const running = one.run(call, () => {
          began.resolve()
          return done.promise
        })
        await began.promise
        const rival = off.run({ ...call, waitMs: 0 }, () => expect.unreachable())
        await expect(rival).rejects.toMatchObject({
          code: expect.stringMatching(/^(IDEMPOTENCY_IN_PROGRESS|STORE_ERROR)$/),
        })
        done.resolve('done')
        await running
        expect(await off.run(call, () => expect.unreachable())).toBe('done')
        // And the other way round: its own record is as long there for everybody else.
        const own = { ...call, key: `${key}:own:${hours}` }
        await off.run(own, () => 'own')
        expect(await one.run(own, () => expect.unreachable())).toBe('own')
      }
    },
  },
  {
    number: 'I9',
    title: 'a record that vanishes between two statements is claimed, never assumed',
    not: {
      ...notOn(['memory', 'ioredis'], 'a claim is one step, which reads what it meets'),
      ...notOn(TRANSACTIONAL, 'a claim keeps the record that it meets until it has read it'),
    },
    async prove({ key, one, two }) {
      const claim = { key, scope: '', fingerprint: 'f', payload: null, leaseMs: 30_000, retentionMs: 60_000 }
      const other = two.store as LeasedIdempotencyStore
      await other.claim({ ...claim, owner: 'other', takeOver: false })
      const store = one.interrupted?.(() => other.abandon({ ...claim, owner: 'other' }))
      const own = { ...claim, owner: 'own' }
      expect(await store?.claim({ ...own, takeOver: false })).toEqual({ status: 'claimed', attempt: 1 })
      expect(await store?.renew(own)).toBe(true)
    },
  },
  {
    number: 'I11',
    title: 'a key whose owner died is taken over, or refused, as soon as its lease is over',
    not: notOn(TRANSACTIONAL, 'nobody sees a claim without its result: it goes with its transaction'),
    async prove({ key, one, two, effects }) {
      const fingerprint = fingerprintOf(undefined)
      const claim = { scope: '', fingerprint, payload: null, owner: 'dead', leaseMs: 200, retentionMs: 86_400_000 }
      const startedMs = performance.now()
      for (const name of ['rerun', 'refuse'])
        await (one.store as LeasedIdempotencyStore).claim({ ...claim, key: `${key}:${name}`, takeOver: false })
      const call = (onAmbiguous: 'rerun' | 'refuse') =>
        two.run({ key: `${key}:${onAmbiguous}`, onAmbiguous, waitMs: 20_000 }, ({ effect }) => effect())
      await expect(call('refuse')).rejects.toMatchObject({ code: 'AMBIGUOUS_OUTCOME' })
      await call('rerun')
      expect(await effects()).toBe(1)
      expect(performance.now() - startedMs).toBeLessThan(5_000)
    },
  },
  {
    number: 'I12, S13',
    title: 'keys are exact, and of one scope alone',
    async prove({ key, one, two }) {
      const pairs = [
        ['a', `1:${key}`],
        ['a1:', key],
        ['', `a1:${key}`],
        ['', key],
        ['', key.toUpperCase()],
        ['', `${key} `],
        ['', `${key}\u00e9`],
        ['', `${key}e\u0301`],
        ['A', key],
        ['{', `}${key}`],
      ].map(([scope = '', name = '']) => ({ ...(scope && { scope }), key: name }))
      for (const pair of pairs) expect(await one.run(pair, () => pair)).toEqual(pair)
      for (const pair of pairs) expect(await two.run(pair, () => expect.unreachable())).toEqual(pair)
      for (const wrong of ['', '\ud800', 'nul\0', 'a'.repeat(256)])
        await expect(one.run({ key: wrong }, () => expect.unreachable())).rejects.toThrow(/^key must/)
    },
  },
  {
    number: 'S12',
    title: 'the stored text is the very text of the result, and so is every replay',
    async prove({ key, one, two }) {
      const text = '{"b":1,"a":{"10":"ten","9":"\\u0001 한글 🔒"},"none":null,"list":[1.50,-1e21]}'
      const codec = { encode: () => text, decode: (stored: string) => stored }
      expect(await one.run({ codec }, () => 'anything')).toBe(text)
      expect(await two.run({ codec }, () => expect.unreachable())).toBe(text)
      expect((await two.store.find({ key, scope: '' }))?.text).toBe(text)
    },
  },
  {
    number: 'X8',
    title: 'a result that JSON or UTF-8 would change is refused with its place, and none is stored',
    async prove({ key, one, two }) {
      const unstorable: readonly (readonly [unknown, string])[] = [
        ['order-7'.match(/\d/), '$.index'],
        [{ lines: Object.assign([1], { total: 5 }) }, '$.lines.total'],
        [{ id: Object.defineProperty({}, 'toJSON', { value: () => 'other' }) }, '$.id'],
      ]
      for (const [index, [result, path]] of unstorable.entries()) {
        const call = one.run({ key: `${key}:${index}` }, () => result)
        await expect(call).rejects.toMatchObject({ code: 'RESULT_NOT_SERIALIZABLE', path })
      }
      for (const [name, text] of Object.entries({ surrogate: '\ud800', nul: 'a\0b' })) {
        const call = { key: `${key}:${name}`, codec: { encode: () => text, decode: (stored: string) => stored } }
        const refused = await one.run(call, () => 'anything').catch((error) => error)
        expect(refused).toMatchObject({ code: 'RESULT_NOT_SERIALIZABLE', path: '$' })
        expect(await two.store.find({ key: call.key, scope: '' })).toBeUndefined()
      }
      const carried = ['\ud800', 'a\0b']
      expect(await one.run({}, () => carried)).toEqual(carried)
      expect(await two.run({}, () => expect.unreachable())).toEqual(carried)
    },
  },
  {
    number: 'X9',
    title: 'retention up to its limit is kept, and refused above it before anything runs',
    async prove({ key, one, two }) {
      const HUNDRED_YEARS_MS = 36_525 * 24 * HOUR_MS
      expect(await one.run({ retentionMs: HUNDRED_YEARS_MS, leaseMs: 2_147_483_647 }, () => 'kept')).toBe('kept')
      expect(await two.run({}, () => expect.unreachable())).toBe('kept')
      for (const retentionMs of [HUNDRED_YEARS_MS + 1, 253_402_300_800_000, Number.MAX_SAFE_INTEGER]) {
        const call = one.run({ key: `${key}:${retentionMs}`, retentionMs }, () => expect.unreachable())
        await expect(call).rejects.toThrow(RangeError)
        await expect(call).rejects.toThrow(
          `retentionMs must be a whole number from 1 to ${HUNDRED_YEARS_MS}, but is ${retentionMs}`,
        )
      }
    },
  },
  {
    number: 'I13',
    title: 'a server that hangs fails the call in bounded time, and nothing runs',
    not: {
      ...notOn(['memory'], 'there is no server'),
      ...notOn(['knex SQLite', 'knex SQLite, leased'], 'there is no server, and S10 is about files that stay busy'),
    },
    async prove({ key, port, open }) {
      const line = await FaultyLine.to(port)
      try {
        const { run, store } = await open({ port: line.port })
        expect(await run({}, () => 'warm')).toBe('warm')
        line.stall()
        const startedMs = performance.now()
        const call = run({ key: `${key}:hung`, waitMs: 100 }, () => expect.unreachable())
        const found = findReplay({ store, key })
        for (const outcome of await Promise.allSettled([call, found]))
          expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'STORE_ERROR' } })
        expect(performance.now() - startedMs).toBeLessThan(2_000)
        line.resume()
      } finally {
        await line.close()
      }
    },
  },
]
