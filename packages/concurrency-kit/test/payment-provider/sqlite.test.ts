import path from 'node:path'
import { expect, test } from 'vitest'
import { createTables, knexLeasedIdempotencyStore } from '../../src/entries/knex.ts'
import { connectTo } from '../support/sqlite.ts'
import { campaign } from './campaign.ts'
import type { Place } from './street.ts'

const place: Place = async (folder) => {
  const url = path.join(folder, 'payments.db')
  const knex = connectTo(url)
  await createTables(knex, { leasedIdempotency: true })
  const store = knexLeasedIdempotencyStore({ knex })
  return { url, store, wire: async () => undefined, close: () => knex.destroy() }
}

test.concurrent.each([
  ['killed wherever', { place, mode: 'rerun' }, 12],
  ['and nobody knows whether it was charged', { place, mode: 'refuse', runs: 4 }, 3],
  ['after another has vanished', { place, mode: 'probe', vanished: true, runs: 5 }, 3],
] as const)(
  'C9, I3, I11: payer or provider, %s: charged once, one answer, no key stuck',
  async (_, options, least) => {
    const { runs, statements, violations } = await campaign(options)
    expect(violations).toEqual([])
    expect(statements).toEqual(expect.arrayContaining([expect.stringContaining('/charges')]))
    expect(runs).toBeGreaterThanOrEqual(least)
  },
  120_000,
)

test.concurrent('a key that is made afresh for each attempt is seen', async () => {
  const { violations } = await campaign({ place, mode: 'rerun', vanished: true, freshKeys: true, runs: 2 })
  expect(violations).toEqual(expect.arrayContaining([expect.stringMatching(/: charged ([2-9]|\d\d) times$/)]))
}, 120_000)
