import { onDocker } from '../support/engines.ts'
import { arenas } from './arenas.ts'
import { proveServerFaults } from './prove.ts'

/** A fixed small part of the command `faults`. */
const SMALL_PART = ['ioredis, with its data on disk', 'ioredis, without', 'ioredis Cluster, without', 'pg advisory']

onDocker.describe('two processes contend while a server fails', () => {
  for (const { name, open } of arenas.filter((arena) => SMALL_PART.includes(arena.name))) {
    onDocker.test(
      `L14: ${name}: overlaps only where it forgets, and then bounded; no guarded effect is violated`,
      () => proveServerFaults(open),
      60_000,
    )
  }
})
