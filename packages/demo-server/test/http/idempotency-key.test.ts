import fc from 'fast-check'
import { expect, test } from 'vitest'
import { idempotencyKeyOf } from '../../src/http/idempotency-key.ts'
import { problems } from '../../src/http/problems.ts'

const refusal = (problem: object) => expect.objectContaining({ problem })

test('the field, the header, or both alike', () => {
  expect(idempotencyKeyOf('k-1', undefined)).toBe('k-1')
  expect(idempotencyKeyOf(undefined, '"k-1"')).toBe('k-1')
  expect(idempotencyKeyOf(null, 'k-1')).toBe('k-1')
  expect(idempotencyKeyOf('k-1', '"k-1"')).toBe('k-1')
  expect(idempotencyKeyOf('k-1', '')).toBe('k-1')
  expect(() => idempotencyKeyOf('k-1', 'k-2')).toThrow(refusal(problems.keysDiffer))
  expect(() => idempotencyKeyOf('k-1', '""')).toThrow(refusal(problems.keysDiffer))
})

test('missing, null and blank are one and the same', () => {
  for (const field of [undefined, null, '', ' ', '\t\n', '\u3000']) {
    expect(() => idempotencyKeyOf(field, undefined)).toThrow(refusal(problems.keyMissing))
  }
  for (const header of ['', '""', '"  "']) {
    expect(() => idempotencyKeyOf(undefined, header)).toThrow(refusal(problems.keyMissing))
  }
})

test('100 characters are the longest key, counted as code points', () => {
  expect(idempotencyKeyOf('a'.repeat(100), undefined)).toHaveLength(100)
  expect(idempotencyKeyOf('가'.repeat(100), undefined)).toHaveLength(100)
  expect(idempotencyKeyOf('😀'.repeat(100), undefined)).toHaveLength(200)
  for (const key of ['a'.repeat(101), '😀'.repeat(101), `${'a'.repeat(100)} `]) {
    expect(() => idempotencyKeyOf(key, undefined)).toThrow(refusal(problems.keyTooLong))
  }
})

test('S13: NUL and lone surrogates are refused', () => {
  for (const key of ['a\0b', '\ud800', 'a\udc00b']) {
    expect(() => idempotencyKeyOf(key, undefined)).toThrow(refusal(problems.keyUnstorable))
  }
})

test('a key of another type is named', () => {
  for (const field of [1, true, [], {}]) {
    expect(() => idempotencyKeyOf(field, 'k')).toThrow(refusal(problems.keyNoString))
  }
})

test('the header is one RFC 8941 string or bare; lists, parameters and half-quoted ones are refused', () => {
  expect(idempotencyKeyOf(undefined, '"a \\"b\\" \\\\c, d;e"')).toBe('a "b" \\c, d;e')
  expect(idempotencyKeyOf(undefined, 'YWJj+/==')).toBe('YWJj+/==')
  for (const header of ['"a', 'a"', '"a" "b"', '"a", "b"', 'a, b', 'a b', '"a";p=1', '"a\\x"', 'é', '"é"', '"a\tb"']) {
    expect(() => idempotencyKeyOf(undefined, header)).toThrow(refusal(problems.keyHeaderMalformed))
  }
})

test('every printable ASCII key survives its RFC 8941 spelling', () => {
  const ascii = fc.string({ minLength: 1, maxLength: 100, unit: 'grapheme-ascii' }).filter((key) => key.trim() !== '')
  fc.assert(
    fc.property(ascii, (key) => {
      expect(idempotencyKeyOf(undefined, `"${key.replace(/["\\]/g, '\\$&')}"`)).toBe(key)
    }),
  )
})
