import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { recordPitfalls } from '../idempotency/pitfalls/prove.ts'
import { pitfalls } from '../lock/pitfalls/prove.ts'
import { numbersIn, withoutPadding, withTests } from './document.ts'
import { numberedTests } from './numbered-tests.ts'
import { ownPitfalls, ownRecordPitfalls, sqlPitfalls } from './own-pitfalls.ts'
import { DOCUMENT } from './where.ts'

const text = readFileSync(DOCUMENT, 'utf8')
const tests = numberedTests()

test('docs/pitfalls.md names the tests as they are; `pnpm -F concurrency-kit pitfalls` writes them', () => {
  expect(withoutPadding(text)).toBe(withoutPadding(withTests(text, tests)))
})

test('every number in the name of a test has a row, and every row a test or a note', () => {
  const numbers = numbersIn(text)
  expect(new Set(numbers).size).toBe(numbers.length)
  expect([...tests.keys()].filter((number) => !numbers.includes(number))).toEqual([])
  for (const number of numbers.filter((each) => !tests.has(each))) {
    expect(text).toMatch(new RegExp(`^\\| ${number} +\\|.*\\| no test: [^|]+ \\|$`, 'm'))
  }
})

test('every fault of locks and of records is proved on every store, or by the tests of those it can happen on', () => {
  const all = [...pitfalls, ...ownPitfalls, ...recordPitfalls].map(({ number }) => number)
  const proved = [...all, ...ownRecordPitfalls].flatMap((numbers) => numbers.split(', '))
  expect(numbersIn(text).filter((number) => /^[LI]/.test(number) && !proved.includes(number))).toEqual([])
})

test('of every SQL fault it is said where it can happen', () => {
  const said = sqlPitfalls.map(({ number }) => number)
  expect(numbersIn(text).filter((number) => number.startsWith('S'))).toEqual(said)
})
