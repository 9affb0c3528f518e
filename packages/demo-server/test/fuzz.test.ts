import { expect, test } from 'vitest'
import { fuzz } from './fuzz.ts'

test('random requests: no 500, no answer without code, message and timestamp, nothing charged without a receipt', async () => {
  const { answers, faults } = await fuzz(400, 1)
  expect(faults).toEqual([])
  // The requests are not all refused by the same check.
  expect([...answers.keys()]).toEqual(expect.arrayContaining([200, 400, 404, 413, 415]))
})
