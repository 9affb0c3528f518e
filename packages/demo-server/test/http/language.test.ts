import { expect, test } from 'vitest'
import { preferredLanguage } from '../../src/http/language.ts'

test.each([
  [undefined, 'ko'],
  ['', 'ko'],
  ['en', 'en'],
  ['en-US,en;q=0.9', 'en'],
  ['EN', 'en'],
  ['ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7', 'ko'],
  ['en;q=0.5, ko;q=0.4', 'en'],
  ['en;q=0', 'ko'],
  ['en, ko', 'ko'],
  ['*', 'ko'],
  ['fr, en;q=0.2', 'en'],
  ['english', 'ko'],
  ['en;q=9', 'ko'],
])('Accept-Language %s is answered in %s', (header, language) => {
  expect(preferredLanguage(header)).toBe(language)
})
