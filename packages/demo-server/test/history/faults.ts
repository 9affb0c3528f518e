import { setTimeout } from 'node:timers/promises'
import { Chance } from '../../../concurrency-kit/test/simulator/chance.ts'
import type { FaultyLine, LineFault } from '../../../concurrency-kit/test/support/faulty-line.ts'
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
  /** Resolves when it is over; to false where there was nothing for it to hit. */
  inject(arena: Arena, instance: Instance, chance: Chance): Promise<boolean | void>
  readonly hits: 'one instance' | 'all'
  /** What the engines must be able to do. */
  readonly needs?: 'restartRedis' | 'restartPostgres'
}

const [SHORTEST_MS, LONGEST_MS, LONGEST_DOWN_MS, TRAP_MS] = [200, 1_600, 1_000, 2_000]

const aWhile = (chance: Chance) => setTimeout(chance.between(SHORTEST_MS, LONGEST_MS))

function ofOne(
  name: string,
  weight: number,
  inject: (...hit: [Instance, Chance, Arena]) => Promise<boolean | void>,
): Fault {
  return { name, weight, hits: 'one instance', inject: (arena, instance, chance) => inject(instance, chance, arena) }
}

function restartOf(name: string, weight: number, needs: 'restartRedis' | 'restartPostgres'): Fault {
  return { name, weight, hits: 'all', needs, inject: ({ engines }) => engines[needs]?.() ?? Promise.resolve(false) }
}

function hangOf(name: string, weight: number, store: 'redis' | 'postgres'): Fault {
  const inject: Fault['inject'] = ({ fleet }, _, chance) =>
    hang(
      fleet.instances.map((each) => each[store]),
      chance,
    )
  return { name, weight, hits: 'all', inject }
}

async function hang(lines: readonly FaultyLine[], chance: Chance): Promise<void> {
  for (const line of lines) line.stall()
  await aWhile(chance)
  for (const line of lines) line.resume()
}

/** The tag of the answer is that of the statement. */
async function loseCommit({ postgres }: Instance, how: LineFault): Promise<boolean> {
  const sprung = postgres.next('reply', 'COMMIT', how).then(() => true)
  const happened = await Promise.race([sprung, setTimeout(TRAP_MS, false)])
  postgres.clear()
  return happened
}

const ofServers = [
  ofOne('server killed', 3, async (instance, chance) => {
    await instance.kill()
    await setTimeout(chance.between(0, LONGEST_DOWN_MS))
    await instance.restart()
  }),
  ofOne('server stopped', 2, async (instance, chance) => {
    instance.signal('SIGSTOP')
    await aWhile(chance)
    instance.signal('SIGCONT')
  }),
  ofOne('clients cut off', 2, async (instance, _, { fleet, clients }) =>
    clients.cut(fleet.instances.indexOf(instance)),
  ),
]

const ofLines = [
  ofOne('line to Redis cut', 3, async ({ redis }) => redis.cutAll()),
  ofOne('line to Postgres cut', 3, async ({ postgres }) => postgres.cutAll()),
  ofOne('line to Redis hangs', 1, ({ redis }, chance) => hang([redis], chance)),
  ofOne('line to Postgres hangs', 1, ({ postgres }, chance) => hang([postgres], chance)),
  ofOne('answer to a COMMIT cut off', 3, (instance) => loseCommit(instance, 'cut')),
  ofOne('answer to a COMMIT swallowed', 1, (instance) => loseCommit(instance, 'swallow')),
]

const ofStores = [
  restartOf('Redis restarted, empty', 3, 'restartRedis'),
  restartOf('Postgres killed and restarted', 2, 'restartPostgres'),
  hangOf('Redis hangs', 2, 'redis'),
  hangOf('Postgres hangs', 1, 'postgres'),
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
  const injected = new Map<string, number>()
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
      const [{ name, hits, inject }] = deck.splice(chance.whole(0, deck.length - 1), 1) as [Fault]
      const instance = chance.whole(0, fleet.instances.length - 1)
      const began = nowMicros()
      if ((await inject(arena, fleet.instances[instance] as Instance, chance)) === false) continue
      injected.set(name, (injected.get(name) ?? 0) + 1)
      const where = hits === 'one instance' && { instance }
      recorder.write({ kind: 'fault', fault: name, ...where, began, ended: nowMicros() })
      at = Math.max(at, clients.tally.operations)
    }
  }
  await Promise.all(lanes.map(([faults, share]) => lane(faults, share, chances.fork())))
  return injected
}
