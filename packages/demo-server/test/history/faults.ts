import { setTimeout } from 'node:timers/promises'
import { Chance } from '../../../concurrency-kit/test/simulator/chance.ts'
import type { LineFault } from '../../../concurrency-kit/test/support/faulty-line.ts'
import type { Engines } from '../../src/demo/cluster/engines.ts'
import type { Clients } from './clients.ts'
import type { Fleet, Instance } from './fleet.ts'
import { nowMicros, type Recorder } from './recorder.ts'

/** Where faults come from: the fleet, its stores, and those who ask. */
export interface Arena {
  readonly fleet: Fleet
  readonly engines: Engines
  readonly clients: Clients
}

/** One that happens and is over; `weight` of them are in a deck. */
interface Fault {
  readonly name: string
  readonly weight: number
  inject(arena: Arena, instance: Instance, chance: Chance): Promise<void>
  /** Whether it hits one instance alone. */
  readonly isLocal: boolean
  /** What the engines must be able to do. */
  readonly needs?: 'restartRedis' | 'restartPostgres'
}

const [SHORTEST_MS, LONGEST_MS, LONGEST_DOWN_MS, TRAP_MS] = [200, 1_600, 1_000, 2_000]

const local = (name: string, weight: number, inject: Fault['inject']): Fault => ({
  name,
  weight,
  inject,
  isLocal: true,
})
const wide = (name: string, weight: number, inject: Fault['inject']): Fault => ({
  name,
  weight,
  inject,
  isLocal: false,
})
const aWhile = (chance: Chance) => setTimeout(chance.between(SHORTEST_MS, LONGEST_MS))

const ofServers = [
  local('server killed', 3, async (_, instance, chance) => {
    await instance.kill()
    await setTimeout(chance.between(0, LONGEST_DOWN_MS))
    await instance.restart()
  }),
  local('server stopped', 2, async (_, instance, chance) => {
    instance.signal('SIGSTOP')
    await aWhile(chance)
    instance.signal('SIGCONT')
  }),
  local('clients cut off', 2, async ({ fleet, clients }, instance) => clients.cut(fleet.instances.indexOf(instance))),
]

const hang = async (lines: readonly { stall(): void; resume(): void }[], chance: Chance) => {
  for (const line of lines) line.stall()
  await aWhile(chance)
  for (const line of lines) line.resume()
}

const loseCommit = async ({ postgres }: Instance, how: LineFault) => {
  const traps = postgres.nextReplyTo('COMMIT', how)
  await Promise.race([traps, setTimeout(TRAP_MS)])
  postgres.clear()
}

const ofLines = [
  local('line to Redis cut', 3, async (_, { redis }) => redis.cutAll()),
  local('line to Postgres cut', 3, async (_, { postgres }) => postgres.cutAll()),
  local('line to Redis hangs', 1, (_, { redis }, chance) => hang([redis], chance)),
  local('line to Postgres hangs', 1, (_, { postgres }, chance) => hang([postgres], chance)),
  local('answer to a COMMIT cut off', 3, (_, instance) => loseCommit(instance, 'cut')),
  local('answer to a COMMIT swallowed', 1, (_, instance) => loseCommit(instance, 'swallow')),
]

const ofStores: readonly Fault[] = [
  { ...wide('Redis restarted, empty', 3, async ({ engines }) => engines.restartRedis?.()), needs: 'restartRedis' },
  {
    ...wide('Postgres killed and restarted', 2, async ({ engines }) => engines.restartPostgres?.()),
    needs: 'restartPostgres',
  },
  wide('Redis hangs', 2, ({ fleet }, _, chance) =>
    hang(
      fleet.instances.map(({ redis }) => redis),
      chance,
    ),
  ),
  wide('Postgres hangs', 1, ({ fleet }, _, chance) =>
    hang(
      fleet.instances.map(({ postgres }) => postgres),
      chance,
    ),
  ),
]

/** Three kinds at once, each one after the other, with their shares of all faults. */
const lanes: readonly (readonly [faults: readonly Fault[], share: number])[] = [
  [ofServers, 0.35],
  [ofLines, 0.5],
  [ofStores, 0.15],
]

/**
 * Has something go wrong every so many operations on average, until all have begun; resolves when everything is well
 * again, to how often each fault was injected.
 */
export async function injectFaults(
  arena: Arena,
  every: number,
  seed: number,
  recorder: Recorder,
): Promise<ReadonlyMap<string, number>> {
  const felt = new Map<string, number>()
  const chances = new Chance(seed + 1)
  const { clients, engines, fleet } = arena
  const possible = ({ needs }: Fault) => needs === undefined || engines[needs] !== undefined
  const lane = async (faults: readonly Fault[], share: number, chance: Chance) => {
    let deck: Fault[] = []
    for (let at = 0; ; ) {
      at += (every / share) * chance.between(0.5, 1.5)
      await clients.reached(at)
      if (clients.over) return
      if (deck.length === 0) deck = faults.filter(possible).flatMap((fault) => Array(fault.weight).fill(fault))
      const [{ name, isLocal, inject }] = deck.splice(chance.whole(0, deck.length - 1), 1) as [Fault]
      const instance = chance.whole(0, fleet.instances.length - 1)
      const began = nowMicros()
      await inject(arena, fleet.instances[instance] as Instance, chance)
      felt.set(name, (felt.get(name) ?? 0) + 1)
      const where = isLocal && { instance }
      recorder.write({ kind: 'fault', fault: name, ...where, began, ended: nowMicros() })
      at = Math.max(at, clients.tally.operations)
    }
  }
  await Promise.all(lanes.map(([faults, share]) => lane(faults, share, chances.fork())))
  return felt
}
