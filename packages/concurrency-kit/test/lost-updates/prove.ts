import { expect } from 'vitest'
import { contend } from './campaign.ts'
import type { Place } from './places.ts'

/** Longest wait, in fair times, with the row lock: SQLite has no queue between processes, and a few of them are lucky. */
const mostFairTimes = ({ name }: Place) => (name.startsWith('SQLite') ? 20 : 10)

/** A small part of the command `lost-updates`. */
export async function proveNoLostUpdate(place: Place): Promise<void> {
  for (const fallback of place.locks ? [true, false] : [false]) {
    const { exact, longestMs, fairMs } = await contend(place, { writers: 32, increments: 25, fallback })
    expect(exact, `the sum on ${place.name}`).toBe(true)
    if (fallback) expect(longestMs, `longest wait on ${place.name}`).toBeLessThan(mostFairTimes(place) * fairMs)
  }
}
