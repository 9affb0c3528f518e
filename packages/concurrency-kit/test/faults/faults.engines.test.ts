import { expect } from 'vitest'
import { onDocker } from '../support/engines.ts'
import { arenas, freshKey } from './arenas.ts'
import { contend, faultsOf, MOST_OVERLAP_MS } from './run.ts'

/** A fixed small part of the command `faults`: the servers' own faults, once each. */
const SMALL_PART = ['ioredis, with its data on disk', 'ioredis, without', 'pg advisory']

onDocker.describe('two processes contend while a server fails', () => {
  for (const { name, open } of arenas.filter((arena) => SMALL_PART.includes(arena.name))) {
    onDocker.test(
      `L14: ${name}: overlaps only where it forgets, and then bounded; no guarded effect is violated`,
      async () => {
        const arena = await open()
        try {
          const servers = arena.serverFaults.map((fault) => fault.name)
          for (const fault of faultsOf(arena).filter((each) => servers.includes(each.name))) {
            const outcome = await contend(arena, fault, freshKey())
            expect(outcome, fault.name).toMatchObject({ faults: [], violatedEffects: 0, tokensBackwards: 0 })
            const longest = Math.max(0, ...outcome.overlapsMs)
            expect(longest, fault.name).toBeLessThanOrEqual(fault.forgets ? MOST_OVERLAP_MS : 0)
          }
        } finally {
          await arena.close()
        }
      },
    )
  }
})
