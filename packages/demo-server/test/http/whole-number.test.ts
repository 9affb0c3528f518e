import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalId, wholeNumberIn } from '../../src/http/whole-number.ts'

test.each([
  ['1', 1],
  ['10000', 10_000],
  ['1.0', 1],
  ['1.50e1', 15],
  ['1e2', 100],
  ['1E+2', 100],
  ['100e-2', 1],
  ['0', 0],
  ['-0', 0],
  ['0e999999999999', 0],
  ['-5', -5],
  ['9007199254740991', 9_007_199_254_740_991],
  ['9007199254740991.0', 9_007_199_254_740_991],
  ['9007199254740992', 'too large'],
  ['9007199254740993', 'too large'],
  ['9007199254740991.6', 'fraction'],
  ['9223372036854775807', 'too large'],
  ['1e400', 'too large'],
  ['1e99999999999999999999', 'too large'],
  ['-1e400', 'too small'],
  ['0.5', 'fraction'],
  ['1.5', 'fraction'],
  ['1e-1', 'fraction'],
  ['1e-400', 'fraction'],
] as const)('%s is %s', (text, value) => {
  expect(wholeNumberIn(text)).toBe(value)
})

test('H2: amounts that parsing would round to whole numbers are fractions', () => {
  for (const text of ['9007199254740990.6', '1.00000000000000000001']) {
    expect(Number.isInteger(JSON.parse(text))).toBe(true)
    expect(wholeNumberIn(text)).toBe('fraction')
  }
})

test('every spelling of a safe integer gives that integer', () => {
  const spelling = fc.record({ value: fc.maxSafeInteger(), shift: fc.nat(20), zeros: fc.nat(20) })
  fc.assert(
    fc.property(spelling, ({ value, shift, zeros }) => {
      const text = `${value}${'0'.repeat(shift)}.${'0'.repeat(zeros + 1)}e-${shift}`
      expect(wholeNumberIn(text)).toBe(value + 0)
    }),
  )
})

test('an id has one spelling only', () => {
  expect(canonicalId('1')).toBe(1)
  expect(canonicalId('9007199254740991')).toBe(9_007_199_254_740_991)
  for (const text of ['0', '-1', '+1', '01', '1.0', '1e3', ' 1', '1 ', '', 'abc', '9007199254740992', '١']) {
    expect(canonicalId(text)).toBeUndefined()
  }
})
