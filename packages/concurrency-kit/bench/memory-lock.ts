import { Mutex } from 'async-mutex'
import pLimit from 'p-limit'
import { memoryLockStore, withDistributedLock } from '../src/index.ts'
import { inRounds, print } from './rounds.ts'

export type Exclusive = (section: () => Promise<void>) => Promise<unknown>

function promiseChain(): Exclusive {
  let last: Promise<unknown> = Promise.resolve()
  return (section) => {
    const run = last.then(section)
    last = run
    return run
  }
}

/** Each has a lock of its own. */
export function memoryWays(): Record<string, Exclusive> {
  const store = memoryLockStore()
  const mutex = new Mutex()
  const limit = pLimit(1)
  return {
    'withDistributedLock, memory': (section) => withDistributedLock({ store, key: 'k' }, section),
    'async-mutex': (section) => mutex.runExclusive(section),
    'p-limit (1)': (section) => limit(section),
    'promise chain': promiseChain(),
  }
}

/** Sections per second of callers who want one key again and again. */
export async function memoryLock(rounds: number): Promise<void> {
  for (const callers of [1, 500]) {
    const contenders = Object.entries(memoryWays()).map(([name, exclusive]) => ({
      name,
      run: async (count: number) => {
        let left = count
        const caller = async () => {
          while (left > 0) {
            left -= 1
            await exclusive(async () => {})
          }
        }
        await Promise.all(Array.from({ length: callers }, caller))
      },
    }))
    const measured = await inRounds(contenders, rounds, 100_000)
    print(`${callers} callers, one key, empty section, in memory`, 'sections/s', measured)
  }
}
