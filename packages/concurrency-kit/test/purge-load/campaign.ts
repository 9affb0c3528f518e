import { setTimeout } from 'node:timers/promises'
import { purgeExpired } from '../../src/idempotency/purge-expired.ts'
import type { Place } from './places.ts'
import { SteadyLoad } from './steady-load.ts'

export interface Plan {
  readonly expired: number
  readonly live: number
  readonly chargesPerSecond: number
  /** Of the load before the purge, and after it. */
  readonly seconds: number
  /** Whether the table is left alone first, until nothing of filling it is to be done. */
  readonly settled: boolean
}

export interface Outcome {
  /** How long each charge took, in ms. */
  readonly before: readonly number[]
  readonly during: readonly number[]
  readonly after: readonly number[]
  readonly purged: number
  readonly purgeMs: number
  readonly batchesMs: readonly number[]
  /** What does not add up; empty when all of it does. */
  readonly wrong: readonly string[]
}

/** Charges at a steady rate before, during and after a purge, on a place that is closed in the end. */
export async function purgeUnderLoad(
  place: Place,
  { expired, live, chargesPerSecond, seconds, settled }: Plan,
  progress: (text: string) => void = () => {},
): Promise<Outcome> {
  try {
    await place.fill({ expired, live }, progress)
    if (settled) await place.settle()
    const load = new SteadyLoad({ perSecond: chargesPerSecond, call: (n) => place.charge(n, keyOf(n, expired)) })
    await load.during(setTimeout(Math.min(3, seconds) * 1_000))
    progress('before')
    const before = await load.during(setTimeout(seconds * 1_000))
    progress('during')
    const batchesMs: number[] = []
    const startMs = performance.now()
    let purgeMs = 0
    const purge = purgeExpired({
      store: place.store,
      onProgress: ({ deleted, tookMs }) => {
        batchesMs.push(tookMs)
        if (batchesMs.length % 500 === 0) progress(`${deleted} purged`)
      },
    }).finally(() => {
      purgeMs = performance.now() - startMs
    })
    const during = await load.during(purge)
    progress('after')
    const after = await load.during(setTimeout(seconds * 1_000))
    const found = await place.counts()
    const must = { expired: 0, live, charged: load.calls, balances: load.calls }
    const wrong = Object.entries(must)
      .filter(([name, count]) => found[name as keyof typeof must] !== count)
      .map(([name, count]) => `${name}: ${found[name as keyof typeof must]}, but must be ${count}`)
    return { before, during, after, purged: await purge, purgeMs, batchesMs, wrong }
  } finally {
    await place.close()
  }
}

/** Every fifth charge is under a key that has expired, anywhere in the table: each of those once. */
function keyOf(n: number, expired: number): string {
  const nth = Math.floor(n / 5)
  return n % 5 === 0 && nth < expired ? `old ${(nth * 7_368_787) % expired}` : `charge ${n}`
}
