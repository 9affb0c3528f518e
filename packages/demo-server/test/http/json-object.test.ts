import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseJsonObject } from '../../src/http/json-object.ts'
import { problems } from '../../src/http/problems.ts'

const parse = (text: string) => parseJsonObject(Buffer.from(text))
const refusal = (problem: object) => expect.objectContaining({ problem })

test('keeps the text of the numbers, and of no others', () => {
  const { values, numberTexts } = parse('{"a":1.00,"b":"2","c":{"d":3},"e":[4],"f" : -5e1 ,"g":true,"h":null}')
  expect(values).toMatchObject({ a: 1, b: '2', c: { d: 3 }, e: [4], f: -50 })
  expect([...numberTexts]).toEqual([
    ['a', '1.00'],
    ['f', '-5e1'],
  ])
})

test('a name in another spelling is the same name', () => {
  expect(parse('{"\\u0061mount":7.0}').numberTexts.get('amount')).toBe('7.0')
  expect(() => parse('{"amount":1,"\\u0061mount":2}')).toThrow(refusal(problems.bodyDuplicateNames))
})

test('two fields of one name are refused, at any depth, even with equal values', () => {
  expect(() => parse('{"amount":1,"amount":1}')).toThrow(refusal(problems.bodyDuplicateNames))
  expect(() => parse('{"x":[{"a":1,"a":2}]}')).toThrow(refusal(problems.bodyDuplicateNames))
  expect(() => parse('{"__proto__":1,"__proto__":2}')).toThrow(refusal(problems.bodyDuplicateNames))
  expect(parse('{"a":{"a":"a"},"b":["a","a"]}').values).toEqual({ a: { a: 'a' }, b: ['a', 'a'] })
})

test('__proto__ is a name like any other', () => {
  const { values } = parse('{"__proto__":{"amount":5},"constructor":{"prototype":1}}')
  expect(values.amount).toBeUndefined()
})

test('what is no JSON object in UTF-8 is refused', () => {
  for (const text of ['', ' ', '{', '{"a":01}', '{a:1}', "{'a':1}", '{"a":1,}', 'NaN', '\ufeff{}']) {
    expect(() => parse(text)).toThrow(refusal(problems.bodyNotJson))
  }
  expect(() => parseJsonObject(Buffer.from('{"a":"\xff"}', 'latin1'))).toThrow(refusal(problems.bodyNotJson))
  for (const text of ['null', '1', '"{}"', '[]', 'true']) {
    expect(() => parse(text)).toThrow(refusal(problems.bodyNoObject))
  }
})

test('a body of brackets or of escapes alone does not exhaust the stack', () => {
  const deep = `{"a":${'['.repeat(8_000)}${']'.repeat(8_000)}}`
  expect(parse(deep).numberTexts.size).toBe(0)
  expect(parse(`{"a":"${'\\"'.repeat(8_000)}"}`).values.a).toHaveLength(8_000)
})

test('reads every JSON object as JSON.parse does', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()), fc.nat(3), (value, indent) => {
      const text = JSON.stringify(value, undefined, indent)
      const { values, numberTexts } = parse(text)
      expect(values).toEqual(JSON.parse(text))
      for (const [name, numberText] of numberTexts) expect(Number(numberText)).toBe(values[name])
      const numbers = Object.values(values).filter((member) => typeof member === 'number')
      expect(numberTexts.size).toBe(numbers.length)
    }),
  )
})
