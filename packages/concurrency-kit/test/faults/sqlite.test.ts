import { describe, test } from 'vitest'
import { sqlite } from './arenas/sqlite.ts'
import { proveServerFaults } from './prove.ts'

/** A fixed small part of the command `faults`, which needs no server. */
const SMALL_PART = ['the holder is stopped', 'the holder is killed', 'writes the file for two', 'deletes all leases']

describe('two real processes contend on a SQLite file', () => {
  for (const part of SMALL_PART) {
    test(`L14: ${part}…: overlaps only where leases are forgotten, and then bounded; no guarded effect is violated`, () =>
      proveServerFaults(sqlite, part))
  }
})
