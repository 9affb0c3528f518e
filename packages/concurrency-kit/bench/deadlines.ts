import { isLockUnavailableError, memoryLockStore, withDistributedLock } from '../src/index.ts'
import { median, quantile } from './rounds.ts'

const WAITERS = 10_000

/** Ms by which each of the waiters on one held key was refused too late. */
async function lateness(waitsMs: readonly number[]): Promise<number[]> {
  const store = memoryLockStore()
  const done = Promise.withResolvers<void>()
  const holding = withDistributedLock({ store, key: 'k', ttlMs: 600_000 }, () => done.promise)
  const lateMs = await Promise.all(
    waitsMs.map(async (waitMs) => {
      const endMs = performance.now() + waitMs
      const refused = await withDistributedLock({ store, key: 'k', waitMs }, () => {}).catch(isLockUnavailableError)
      if (refused !== true) throw new Error('a waiter was not refused')
      return performance.now() - endMs
    }),
  )
  done.resolve()
  await holding
  return lateMs
}

/** The same of bare timers, each of which rejects with an error. */
function bareTimers(waitsMs: readonly number[]): Promise<number[]> {
  return Promise.all(
    waitsMs.map(async (waitMs) => {
      const endMs = performance.now() + waitMs
      await new Promise((_, reject) => setTimeout(() => reject(new Error('not free in time')), waitMs)).catch(() => {})
      return performance.now() - endMs
    }),
  )
}

/** How late those who wait are refused: their waits spread over 10 s, and all equal beside bare timers. */
export async function deadlines(rounds: number): Promise<void> {
  const spread = Array.from({ length: WAITERS }, (_, index) => ((index * 7_919) % WAITERS) + 1)
  console.log(`\nDeadlines: ${WAITERS} waiters on one key, waitMs spread over 10 s: ms late`)
  for (const [name, run] of Object.entries({ kit: lateness, 'bare timers': bareTimers })) {
    // Code that is compiled meanwhile makes the first waits late, whoever waits.
    for (let warmUp = 0; warmUp < 3; warmUp += 1) await run(spread.map((waitMs) => Math.ceil(waitMs / 20)))
    const lateMs = await run(spread)
    const [median, p99, last] = [0.5, 0.99, 1].map((q) => quantile(lateMs, q).toFixed(1))
    console.log(`${name.padEnd(12)} p50 ${median}  p99 ${p99}  last ${last}`)
  }
  const waitMs = 500
  const equal = Array.from({ length: WAITERS }, () => waitMs)
  const beyondMs = async (run: () => Promise<unknown>) => {
    const startedAtMs = performance.now()
    await run()
    return performance.now() - startedAtMs - waitMs
  }
  const kit: number[] = []
  const bare: number[] = []
  for (let round = 0; round <= rounds; round += 1) {
    const [kitMs, bareMs] = [await beyondMs(() => lateness(equal)), await beyondMs(() => bareTimers(equal))]
    if (round > 0) {
      kit.push(kitMs)
      bare.push(bareMs)
    }
  }
  const ratio = median(kit.map((ms, round) => ms / (bare[round] ?? Number.NaN)))
  console.log(`Deadlines: ${WAITERS} waiters on one key, waitMs all ${waitMs}: until the last is refused`)
  console.log(`kit ${median(kit).toFixed(1)} ms after, bare timers and errors ${median(bare).toFixed(1)} ms after`)
  console.log(`× ${ratio.toFixed(2)}`)
}
