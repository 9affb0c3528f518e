import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { jsonCodec } from '../../src/idempotency/codec.ts'
import { jsonWithDates } from '../../src/idempotency/json-with-dates.ts'
import { memoryIdempotencyStore } from '../../src/idempotency/stores/memory.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'

const returned = (value: unknown): unknown => jsonWithDates.decode(jsonWithDates.encode(value))

class Deadline extends Date {}

/** Values with dates, and with objects that look like stored ones. */
const { value: withDates } = fc.letrec((tie) => {
  const name = fc.oneof(fc.constantFrom('$date', '$$date', '$$$date', 'date', 'a', '__proto__'), fc.string())
  return {
    value: fc.oneof(
      { depthSize: 'medium' },
      fc.date({ noInvalidDate: true }),
      fc.jsonValue(),
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(name, fc.oneof(tie('value'), fc.constant(undefined)), { maxKeys: 2, noNullPrototype: true }),
    ),
  }
})

/** Without the properties that are `undefined`, and with 0 for -0: as the codecs say. */
function plain(value: unknown): unknown {
  if (Object.is(value, -0)) return 0
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  const copy = {}
  for (const [name, property] of Object.entries(value)) {
    if (property === undefined) continue
    Object.defineProperty(copy, name, { value: plain(property), enumerable: true, writable: true, configurable: true })
  }
  return copy
}

describe('X10: a codec that carries dates', () => {
  test('for any JSON with dates in it: what comes back is what was returned, dates as dates', () => {
    fc.assert(
      fc.property(withDates, (value) => {
        expect(returned(value)).toStrictEqual(plain(value))
      }),
      { seed: 8601, numRuns: 2_000 },
    )
  })

  test('no two values have the same text', () => {
    const text = '2026-11-28T09:00:00.000Z'
    const date = new Date(text)
    const values = [
      date,
      text,
      { $date: text },
      { $date: date },
      { $$date: text },
      { $$date: date },
      { $date: { $date: text } },
      { $date: text, other: 1 },
      { $date: null },
      [date],
    ]
    for (const value of values) expect(returned(value)).toStrictEqual(value)
    expect(new Set(values.map((value) => jsonWithDates.encode(value))).size).toBe(values.length)
    expect(returned({ $date: text, gone: undefined })).toStrictEqual({ $date: text })
  })

  test('all else has the text that it has without a codec', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        fc.pre(!/\$date/.test(JSON.stringify(value)))
        expect(jsonWithDates.encode(value)).toBe(jsonCodec.encode(value))
      }),
      { seed: 8601 },
    )
    expect(returned(undefined)).toBeUndefined()
  })

  test('the first and the last date there are', () => {
    for (const ms of [-8_640_000_000_000_000, -62_167_219_200_001, -1, 0, 253_402_300_800_000, 8_640_000_000_000_000])
      expect(returned(new Date(ms))).toStrictEqual(new Date(ms))
  })

  test.each<[unknown, string]>([
    [{ at: new Date(Number.NaN) }, '$.at is a Date that is invalid'],
    [[new Deadline(0)], '$[0] is a Deadline'],
    [{ at: Object.assign(new Date(0), { zone: 'KST' }) }, '$.at is a Date'],
    [{ ids: new Map() }, '$.ids is a Map'],
    [{ id: 1n }, '$.id is a BigInt'],
  ])('what it does not carry is refused with its place: %#', (value, message) => {
    expect(() => jsonWithDates.encode(value)).toThrow(`result cannot be stored: ${message}`)
  })

  test.each(['{"$date":"yesterday"}', '{"$date":0}', '{"$date":"2026-11-28"}'])('%s was not written by it', (text) => {
    expect(() => jsonWithDates.decode(text)).toThrow(
      new TypeError('the stored text holds a $date that jsonWithDates did not write'),
    )
  })

  test('the first call gets dates, and so does every replay', async () => {
    const call = (at: Date) =>
      withIdempotency({ store, key: 'a', onAmbiguous: 'refuse', codec: jsonWithDates }, () => ({ lines: [{ at }] }))
    const store = memoryIdempotencyStore()
    for (const year of [2026, 2027]) {
      const { lines } = await call(new Date(Date.UTC(year)))
      expect(lines[0]?.at.getUTCFullYear()).toBe(2026)
    }
  })
})
