import { expect } from 'vitest'
import { onPostgres, postgresDatabase } from '../support/engines.ts'
import { contendAt } from './campaign.ts'

const { describe, test } = onPostgres

describe('writers that provoke deadlocks and stale snapshots', () => {
  test.each([
    ['serializable', 'knex'],
    ['repeatable read', 'pg'],
    ['read committed', 'pg, group commit'],
  ] as const)(
    'I6, S2, S7: at %s through %s: each key once, sums exact, the caller’s errors as thrown, causes counted',
    async (level, storeName) => {
      const { url, drop } = await postgresDatabase()
      try {
        const outcome = await contendAt(url, { storeName, level, writers: 16, ms: 300 })
        expect(outcome.wrong).toEqual([])
        expect(outcome.arrived).toBeGreaterThan(0)
        const { '40001': serialization = 0, '40P01': deadlocks = 0 } = outcome.counts
        expect(level === 'read committed' ? deadlocks : serialization).toBeGreaterThan(0)
      } finally {
        await drop()
      }
    },
  )
})
