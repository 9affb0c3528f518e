import { onlyOn, type Pitfall } from '../lock/pitfalls/pitfall.ts'

/** Those that are proved by tests of the stores that they can happen on. */
export const ownPitfalls: readonly Pick<Pitfall, 'number' | 'not'>[] = [
  { number: 'L1', not: onlyOn(['redlock'], 'one server decides: there is no vote to split') },
  { number: 'L9', not: onlyOn(['ioredis', 'ioredis Cluster', 'redlock'], 'there are no scripts on a server') },
  { number: 'L16', not: onlyOn(['redlock'], 'a grant is whole or not at all') },
  { number: 'L24', not: onlyOn(['pg advisory'], 'no lock is bound to a connection, or is a number') },
  {
    number: 'L26',
    not: onlyOn(['ioredis Cluster'], 'there are no slots; that keys are exact is in the contract of every store'),
  },
  { number: 'L27', not: onlyOn(['redlock'], 'it is a fault of that package’s') },
]
