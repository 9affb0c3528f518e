import { expect } from 'vitest'
import type { Arena } from './arena.ts'
import { freshKey } from './arenas/fresh-key.ts'
import { faultsOf } from './faults.ts'
import { contend } from './run.ts'
import { MOST_OVERLAP_MS } from './timing.ts'

/** What the command `faults` says of the servers' own faults, once each; or of those with `part` in their names. */
export async function proveServerFaults(open: () => Promise<Arena>, part = ''): Promise<void> {
  const arena = await open()
  try {
    const names = arena.serverFaults.map(({ name }) => name).filter((name) => name.includes(part))
    expect(names).not.toEqual([])
    for (const fault of faultsOf(arena).filter(({ name }) => names.includes(name))) {
      const outcome = await contend(arena, fault, freshKey())
      expect(outcome, fault.name).toMatchObject({ faults: [], violatedEffects: 0, tokensBackwards: 0 })
      const longest = Math.max(0, ...outcome.overlapsMs)
      expect(longest, fault.name).toBeLessThanOrEqual(fault.forgets ? MOST_OVERLAP_MS : 0)
    }
  } finally {
    await arena.close()
  }
}
