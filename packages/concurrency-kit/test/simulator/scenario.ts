import { Chance } from './chance.ts'
import { FAIR, type Weather } from './network.ts'
import { faultOf, type PlannedFault } from './planned-fault.ts'

/** Waits longer than anything takes. */
export const PATIENT_MS = 600_000

export interface PlannedCall {
  readonly startsAtMs: number
  readonly process: number
  readonly keys: readonly string[]
  /** Asks by a list although it is of one key. */
  readonly asList: boolean
  readonly ttlMs: number
  readonly waitMs: number
  /** Its signal aborts so long after the call. */
  readonly leavesAfterMs: number | undefined
  /** By `acquireLock`, not by a section. */
  readonly owned: boolean
  readonly whenLost: 'throw' | 'return'
  /** What its section does: waits, and then looks at its lease or not. */
  readonly work: readonly { readonly forMs: number; readonly looks: boolean }[]
  /** Keeps the lease's signal, as code that passes it on does. */
  readonly listens: boolean
  readonly throws: boolean
  /** Calls again for a key that it holds. */
  readonly reenters: boolean
}

export interface PlannedProcess {
  /** Ms of its clocks per ms of true time. */
  readonly rate: number
  /** Its timers fire about when they should; else as late as they may. */
  readonly punctual: boolean
  /** Which of its clocks may be wrong. No lease survives that both are. */
  readonly wrongClock: 'monotonic' | 'wall'
}

export interface Scenario {
  readonly calm: boolean
  readonly keys: readonly string[]
  readonly processes: readonly PlannedProcess[]
  readonly serverRate: number
  readonly commandMs: number
  readonly handOff: { readonly maxSections: number; readonly maxMs: number }
  /** An acquire whose answer is lost is not asked again. */
  readonly acquiresOnce: boolean
  /** The store learns by itself when the server has forgotten its leases. */
  readonly bound: boolean
  readonly weather: Weather
  readonly calls: readonly PlannedCall[]
  readonly faults: readonly PlannedFault[]
  /** From here on the weather is fair, and nothing more happens to anybody. */
  readonly fairFromMs: number
}

/** Two clocks may run apart by 0.9 %; the engine's margin is for 1 %. Leases are nearest to their end on slow processes. */
const SLOWEST = 0.9955
const FASTEST = 1.0045

/** What the seed stands for: who calls when for what, and what goes wrong. */
export function scenarioOf(seed: number): Scenario {
  const chance = new Chance(seed)
  const calm = chance.happens(0.15)
  const keys = ['a', 'b', 'c'].slice(0, chance.oneOf([1, 1, 2, 3]))
  const processes = Array.from({ length: chance.whole(1, 4) }, () => ({
    rate: chance.oneOf([SLOWEST, SLOWEST, 1, FASTEST]),
    punctual: chance.happens(0.5),
    wrongClock: chance.oneOf(['monotonic', 'wall'] as const),
  }))
  const ttls = [chance.oneOf([20, 60, 200, 1_000]), chance.oneOf([40, 100, 300, 1_000])]
  const spreadMs = chance.oneOf([5, 100, 600])
  const calls = Array.from({ length: chance.whole(4, 40) }, () =>
    callOf(chance, { keys, processes: processes.length, ttls, spreadMs }),
  )
  const endMs = spreadMs + chance.oneOf([50, 300, 1_500])
  const faults = calm
    ? []
    : Array.from({ length: chance.whole(1, 14) }, () =>
        faultOf(chance, { processes, endMs, longestMs: 2 * chance.oneOf(ttls) }),
      )
  return {
    calm,
    keys,
    processes,
    serverRate: chance.oneOf([SLOWEST, 1, FASTEST, FASTEST]),
    commandMs: chance.oneOf(calm ? [1_000] : [30, 150, 1_000]),
    handOff: chance.oneOf([
      { maxSections: 128, maxMs: 25 },
      { maxSections: 1, maxMs: 25 },
      { maxSections: 3, maxMs: 500 },
    ]),
    acquiresOnce: chance.happens(0.1),
    bound: chance.happens(0.3),
    weather: calm || chance.happens(0.4) ? FAIR : weatherOf(chance),
    calls,
    faults,
    // Calls come until then too.
    fairFromMs: Math.max(endMs, ...faults.map(({ atMs, forMs }) => atMs + forMs)) + 1,
  }
}

function callOf(
  chance: Chance,
  { keys, processes, ttls, spreadMs }: { keys: readonly string[]; processes: number; ttls: number[]; spreadMs: number },
): PlannedCall {
  const ttlMs = chance.oneOf(ttls)
  const wanted = chance.happens(0.25) ? Array.from({ length: chance.whole(1, 3) }, () => chance.oneOf(keys)) : []
  const longestMs = chance.oneOf([0, 4, 30, ttlMs / 2, 1.5 * ttlMs])
  return {
    startsAtMs: Math.floor(chance.between(0, spreadMs)),
    process: chance.whole(0, processes - 1),
    keys: wanted.length > 0 ? wanted : [chance.oneOf(keys)],
    asList: wanted.length > 0,
    ttlMs,
    waitMs: chance.oneOf([PATIENT_MS, PATIENT_MS, PATIENT_MS, 200, 20, 0]),
    leavesAfterMs: chance.happens(0.2) ? chance.whole(0, 200) : undefined,
    owned: chance.happens(0.2),
    whenLost: chance.happens(0.2) ? 'return' : 'throw',
    work: Array.from({ length: chance.whole(0, 4) }, () => ({
      forMs: chance.between(0, longestMs),
      looks: chance.happens(0.6),
    })),
    listens: chance.happens(0.7),
    throws: chance.happens(0.15),
    reenters: chance.happens(0.1),
  }
}

function weatherOf(chance: Chance): Weather {
  return {
    latencyMs: chance.oneOf([
      [0.05, 1],
      [0.05, 8],
      [5, 30],
    ] as const),
    lost: chance.oneOf([0, 0.02, 0.15]),
    twice: chance.oneOf([0, 0.05, 0.3]),
    slow: chance.oneOf([0, 0.05, 0.2]),
    slowMs: chance.oneOf([40, 400]),
  }
}
