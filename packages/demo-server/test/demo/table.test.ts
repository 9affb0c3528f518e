import { expect, test } from 'vitest'
import { table } from '../../src/demo/table.ts'

test('columns are as wide as their widest cell; numbers stand to the right, with thousands', () => {
  const text = table(
    ['guards', 'lost'],
    [
      ['none', 1_270],
      ['lock, key', 0],
    ],
  )
  expect(`\n${text}\n`).toBe(`
guards      lost
────────────────
none       1,270
lock, key      0
`)
})
