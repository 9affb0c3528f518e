import { expect } from 'vitest'
import { onPostgres, postgresDatabase } from '../support/engines.ts'
import { purgeUnderLoad } from './campaign.ts'
import { placeOnPostgres } from './places.ts'

onPostgres.describe('a purge under load', () => {
  onPostgres.test(
    'charges go on during a purge on Postgres; what has expired is deleted, and nothing else',
    async () => {
      const { url, drop } = await postgresDatabase()
      try {
        const plan = { expired: 30_000, live: 3_000, chargesPerSecond: 100, seconds: 0.3, settled: false }
        const { wrong, during, batchesMs } = await purgeUnderLoad(await placeOnPostgres(url), plan)
        expect(wrong).toEqual([])
        expect(during.length).toBeGreaterThan(5)
        expect(batchesMs.length).toBeGreaterThan(5)
      } finally {
        await drop()
      }
    },
  )
})
