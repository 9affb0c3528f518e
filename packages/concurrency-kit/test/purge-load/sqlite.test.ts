import { expect, test } from 'vitest'
import { purgeUnderLoad } from './campaign.ts'
import { placeOnSqlite } from './places.ts'

test('charges go on during a purge on SQLite; what has expired is deleted, and nothing else', async () => {
  const plan = { expired: 20_000, live: 2_000, chargesPerSecond: 100, seconds: 0.3, settled: false }
  const { wrong, during, batchesMs } = await purgeUnderLoad(await placeOnSqlite(), plan)
  expect(wrong).toEqual([])
  expect(during.length).toBeGreaterThan(5)
  expect(batchesMs.length).toBeGreaterThan(5)
})
