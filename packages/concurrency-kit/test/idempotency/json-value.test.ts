import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { jsonCodec } from '../../src/idempotency/codec.ts'
import { fingerprintOf } from '../../src/idempotency/fingerprint.ts'
import { findNonJson } from '../../src/idempotency/json-value.ts'

class List<Item> extends Array<Item> {}

const hidden = (name: string) => Object.defineProperty({ a: 1 }, name, { value: () => 'other', enumerable: false })
const withHole = (index: number) => {
  const list: unknown[] = [1, 2, 3]
  delete list[index]
  return list
}

describe('X8: what JSON changes silently is found, with its place', () => {
  test.each<[string, unknown, string, string]>([
    [
      'a named property of an array',
      { list: Object.assign([1], { total: 5 }) },
      '$.list.total',
      'a named property of an array',
    ],
    ['the match of a RegExp', 'order-7'.match(/(?<id>\d)/), '$.index', 'a named property of an array'],
    ['a subclass of Array', [List.of(1)], '$[0]', 'a List'],
    ['a hole', [withHole(1)], '$[0][1]', 'a hole'],
    ['a hole at the end', Object.assign([1], { length: 2 }), '$[1]', 'a hole'],
    ['a toJSON that is not enumerable', [hidden('toJSON')], '$[0]', 'an object with a toJSON method'],
    [
      'a toJSON of an array',
      Object.defineProperty([1], 'toJSON', { value: () => 2 }),
      '$',
      'an object with a toJSON method',
    ],
    ['a toJSON that is enumerable', { toJSON: () => 1 }, '$', 'an object with a toJSON method'],
    ['a symbol as a name', { a: { [Symbol('id')]: 1 } }, '$.a', 'an object with a property named Symbol(id)'],
    [
      'a symbol as a name in an array',
      Object.assign([1], { [Symbol('id')]: 1 }),
      '$',
      'an object with a property named Symbol(id)',
    ],
    ['a boxed string', Object('text'), '$', 'a String'],
  ])('%s', (_, value, path, what) => {
    expect(findNonJson(value)).toEqual({ path, what })
  })

  describe('a toJSON that is inherited', () => {
    afterEach(() => {
      Reflect.deleteProperty(Array.prototype, 'toJSON')
    })

    test('by every array', () => {
      Object.defineProperty(Array.prototype, 'toJSON', { value: () => 'list', configurable: true })
      expect(findNonJson({ a: [1] })).toEqual({ path: '$.a', what: 'an object with a toJSON method' })
    })
  })

  test.each<[string, unknown]>([
    ['a property that is not enumerable, as for every other reader', hidden('note')],
    ['a name such as toJSON with plain data', { toJSON: 'v1', __proto__: null }],
    ['an own property named __proto__', JSON.parse('{"__proto__":{"a":1}}')],
    ['a frozen array', Object.freeze([1])],
    ['the same object twice', (() => ((a) => [a, a])({ n: 1 }))()],
    ['a lone surrogate, which JSON escapes', ['\ud800']],
  ])('it passes %s', (_, value) => {
    expect(findNonJson(value)).toBeUndefined()
    expect(jsonCodec.decode(jsonCodec.encode(value))).toEqual(value)
  })

  test('for any value: it is found, or comes back equal', () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withSparseArray: true,
      withBoxedValues: true,
      withNullPrototype: true,
    })
    fc.assert(
      fc.property(anything, (value) => {
        if (value === undefined || findNonJson(value) !== undefined) return
        expect(JSON.parse(JSON.stringify(value))).toEqual(value)
      }),
      { seed: 8259, numRuns: 2_000 },
    )
  })
})

/** `levels` arrays around each other. */
function nested(levels: number): unknown {
  let value: unknown = []
  for (let level = 1; level < levels; level += 1) value = [value]
  return value
}

describe('X9: values that are nested', () => {
  test('1000 levels deep are stored, and come back', () => {
    const deep = nested(1_000)
    expect(JSON.stringify(jsonCodec.decode(jsonCodec.encode(deep)))).toBe(JSON.stringify(deep))
    expect(fingerprintOf(deep)).toMatch(/^[0-9a-f]{64}$/)
  })

  test.each([1_001, 3_000, 100_000])('%i levels deep are refused with a short message', (levels) => {
    const deep = { tree: nested(levels - 1) }
    const what =
      /^(payload must be JSON, but|result cannot be stored:) \$\.tree\[0\]\S*… is nested more than 1000 levels deep$/
    expect(() => fingerprintOf(deep)).toThrow(TypeError)
    for (const refuses of [() => fingerprintOf(deep), () => jsonCodec.encode(deep)]) {
      expect(refuses).toThrow(what)
      expect(refuses).toThrow(/^.{1,300}$/)
    }
  })

  test('take time in proportion to their size: the depth does not multiply it', () => {
    const timeOf = (value: unknown) => {
      const times = Array.from({ length: 20 }, () => {
        const startedMs = performance.now()
        findNonJson(value)
        return performance.now() - startedMs
      })
      return Math.min(...times)
    }
    const leaves = Array.from({ length: 1_000 }, () => ({}))
    const around = (levels: number) => {
      let value: unknown = leaves
      for (let level = 0; level < levels; level += 1) value = { next: value }
      return value
    }
    expect(timeOf(around(900))).toBeLessThan(10 * timeOf(around(1)) + 1)
  })
})
