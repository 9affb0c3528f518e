import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fingerprintOf } from '../../src/idempotency/fingerprint.ts'

const sha256 = (text: string | Uint8Array) => createHash('sha256').update(text).digest('hex')

/** RFC 8785, appendix B: the bits of a number, and its text. */
const numbers = `
0000000000000000 0
8000000000000000 0
0000000000000001 5e-324
8000000000000001 -5e-324
7fefffffffffffff 1.7976931348623157e+308
ffefffffffffffff -1.7976931348623157e+308
4340000000000000 9007199254740992
c340000000000000 -9007199254740992
4430000000000000 295147905179352830000
44b52d02c7e14af5 9.999999999999997e+22
44b52d02c7e14af6 1e+23
44b52d02c7e14af7 1.0000000000000001e+23
444b1ae4d6e2ef4e 999999999999999700000
444b1ae4d6e2ef4f 999999999999999900000
444b1ae4d6e2ef50 1e+21
3eb0c6f7a0b5ed8c 9.999999999999997e-7
3eb0c6f7a0b5ed8d 0.000001
41b3de4355555553 333333333.3333332
41b3de4355555554 333333333.33333325
41b3de4355555555 333333333.3333333
41b3de4355555556 333333333.3333334
41b3de4355555557 333333333.33333343
becbf647612f3696 -0.0000033333333333333333
43143ff3c1cb0959 1424953923781206.2`

function fromBits(hex: string): number {
  return new DataView(new BigUint64Array([BigInt(`0x${hex}`)]).buffer).getFloat64(0, true)
}

describe('RFC 8785', () => {
  test.each(
    numbers
      .trim()
      .split('\n')
      .map((line) => line.split(' ') as [string, string]),
  )('number %s is %s', (bits, text) => {
    expect(fingerprintOf(fromBits(bits))).toBe(sha256(text))
  })

  test('the example of section 3.2.2 gives the bytes of section 3.2.4', () => {
    const example = JSON.parse(String.raw`{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`)
    const bytes = Buffer.from(
      `7b226c69746572616c73223a5b6e756c6c2c747275652c66616c73655d2c226e756d62657273223a5b3333333333333333332e33333333333
      3332c31652b33302c342e352c302e3030322c31652d32375d2c22737472696e67223a22e282ac245c75303030665c6e4127425c225c5c5c5c5
      c222f227d`.replace(/\s/g, ''),
      'hex',
    )
    expect(fingerprintOf(example)).toBe(sha256(bytes))
  })

  test('the example of section 3.2.3: names are sorted by UTF-16 code units', () => {
    const example = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      1: 'One',
      '\ud83d\ude00': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    }
    const sorted =
      '{"\\r":"Carriage Return","1":"One","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis",' +
      '"\u20ac":"Euro Sign","\ud83d\ude00":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}'
    expect(fingerprintOf(example)).toBe(sha256(sorted))
  })
})

describe('I5: equal payloads have equal fingerprints', () => {
  test('whatever the order of their names, at any depth', () => {
    expect(fingerprintOf({ a: 1, A: { y: 1, x: 2 } })).toBe(fingerprintOf({ A: { x: 2, y: 1 }, a: 1 }))
  })

  test('absent and undefined are the same, and so are 0 and -0, and no payload and null', () => {
    expect(fingerprintOf({ a: 1, b: undefined })).toBe(fingerprintOf({ a: 1 }))
    expect(fingerprintOf(-0)).toBe(fingerprintOf(0))
    expect(fingerprintOf(undefined)).toBe(fingerprintOf(null))
  })

  test('different ones do not: types, order of lists, case, forms of Unicode, integers past 2^53', () => {
    const payloads = [
      1,
      '1',
      true,
      'true',
      null,
      'null',
      {},
      [],
      [1, 2],
      [2, 1],
      { a: 1 },
      { A: 1 },
      { a: null },
      '\u00e9',
      'e\u0301',
      2 ** 53,
      2 ** 53 + 2,
    ]
    expect(new Set(payloads.map(fingerprintOf)).size).toBe(payloads.length)
  })

  test('for any JSON: the same after it was sent and parsed, and with its names in any order', () => {
    const shuffled = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(shuffled)
      if (typeof value !== 'object' || value === null) return value
      return Object.fromEntries(
        Object.entries(value)
          .reverse()
          .map(([name, property]) => [name, shuffled(property)]),
      )
    }
    const payload = fc.jsonValue()
    fc.assert(
      fc.property(payload, (value) => {
        expect(fingerprintOf(shuffled(value))).toBe(fingerprintOf(JSON.parse(JSON.stringify(value))))
      }),
      { seed: 8785 },
    )
  })
})

test.each([
  [{ at: new Date(0) }, 'payload must be JSON, but $.at is a Date'],
  [{ ids: [1n] }, 'payload must be JSON, but $.ids[0] is a BigInt'],
  [{ rate: Number.NaN }, 'payload must be JSON, but $.rate is NaN'],
  [[undefined], 'payload must be JSON, but $[0] is undefined'],
  [() => 1, 'payload must be JSON, but $ is a function'],
  [{ a: { b: '\ud800' } }, 'payload has no canonical form'],
])('I5: what has no canonical form is refused with its place: %#', (payload, message) => {
  expect(() => fingerprintOf(payload)).toThrow(TypeError)
  expect(() => fingerprintOf(payload)).toThrow(message)
})

test('I5: a payload that holds itself is refused', () => {
  const payload: Record<string, unknown> = { id: 1 }
  payload['self'] = [payload]
  expect(() => fingerprintOf(payload)).toThrow('payload must be JSON, but $.self[0] is a circular reference')
})
