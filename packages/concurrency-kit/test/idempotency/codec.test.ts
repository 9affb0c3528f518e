import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isResultNotSerializableError } from '../../src/errors.ts'
import { jsonCodec } from '../../src/idempotency/codec.ts'
import { memoryIdempotencyStore } from '../../src/idempotency/stores/memory.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'

class Money {
  readonly won = 1
}

describe('I7: a result that JSON does not carry is refused, with its place', () => {
  const circle: unknown[] = []
  circle.push(circle)
  test.each<[string, unknown, string, string]>([
    ['a BigInt', { id: 1n }, '$.id', 'a BigInt'],
    ['a Date', { items: [{ at: new Date(0) }] }, '$.items[0].at', 'a Date'],
    ['a class instance', { price: new Money() }, '$.price', 'a Money'],
    ['a Map', new Map(), '$', 'a Map'],
    ['NaN', [1, Number.NaN], '$[1]', 'NaN'],
    ['infinity', -Infinity, '$', '-Infinity'],
    ['a function', { run: () => 1 }, '$.run', 'a function'],
    ['a symbol', Symbol('s'), '$', 'a symbol'],
    ['undefined in a list', [undefined], '$[0]', 'undefined'],
    ['a circle', circle, '$[0]', 'a circular reference'],
  ])('%s', (_what, result, path, what) => {
    try {
      jsonCodec.encode(result)
      expect.unreachable()
    } catch (error) {
      expect(isResultNotSerializableError(error)).toBe(true)
      expect(error).toMatchObject({ path, message: `result cannot be stored: ${path} is ${what}` })
    }
  })

  test('by the call on a leased store, whose effect stands: it is not done again unless `onAmbiguous` says so', async () => {
    const store = memoryIdempotencyStore()
    const call = (result: unknown, onAmbiguous: 'rerun' | 'refuse') =>
      withIdempotency({ store, key: 'a', onAmbiguous }, () => result)
    await expect(call({ id: 1n }, 'refuse')).rejects.toMatchObject({ code: 'RESULT_NOT_SERIALIZABLE', path: '$.id' })
    await expect(call({ id: '1' }, 'refuse')).rejects.toMatchObject({ code: 'AMBIGUOUS_OUTCOME' })
    expect(await call({ id: '1' }, 'rerun')).toEqual({ id: '1' })
  })
})

test('the first answer is what every later one is: the stored text, decoded', async () => {
  const store = memoryIdempotencyStore()
  const call = () => withIdempotency({ store, key: 'a', onAmbiguous: 'refuse' }, () => ({ a: undefined, b: -0 }))
  const [first, second] = [await call(), await call()]
  expect(first).toStrictEqual({ b: 0 })
  expect(second).toStrictEqual(first)
  expect(second).not.toBe(first)
})

test('no result at all is stored and replayed as none', async () => {
  const store = memoryIdempotencyStore()
  let ran = 0
  const call = () =>
    withIdempotency({ store, key: 'a', onAmbiguous: 'refuse' }, () => {
      ran += 1
    })
  expect([await call(), await call(), ran]).toEqual([undefined, undefined, 1])
})

test('a codec carries what JSON does not', async () => {
  const store = memoryIdempotencyStore()
  const codec = { encode: (at: Date) => at.toISOString(), decode: (text: string) => new Date(text) }
  const call = (at: Date) => withIdempotency({ store, key: 'a', onAmbiguous: 'refuse', codec }, () => at)
  expect(await call(new Date(5))).toEqual(new Date(5))
  expect(await call(new Date(6))).toEqual(new Date(5))
})

test('a codec that encodes to no text is refused before anything is kept', async () => {
  const store = memoryIdempotencyStore()
  const codec = { encode: () => 5 as unknown as string, decode: (text: string) => text }
  const call = withIdempotency({ store, key: 'a', onAmbiguous: 'refuse', codec }, () => 'x')
  await expect(call).rejects.toThrow(
    'result cannot be stored: $ is encoded by codec.encode to a number instead of a string',
  )
  expect(await store.find({ scope: '', key: 'a' })).toBeUndefined()
})

test('for any JSON: what is decoded is what was encoded', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(jsonCodec.decode(jsonCodec.encode(value))).toEqual(JSON.parse(JSON.stringify(value)))
    }),
    { seed: 4627 },
  )
})
