/** One process of the campaign: writers that count one row up. Told what to do, and tells, by IPC. */
import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { isStoreError, isVersionConflictError } from '../../src/errors.ts'
import { optimisticUpdate } from '../../src/optimistic/optimistic-update.ts'
import { ROW, type StoreName, stores } from './stores.ts'

export interface Job {
  readonly storeName: StoreName
  readonly address: string
  readonly writers: number
  /** Of each writer. */
  readonly increments: number
  /** False: no row is ever locked. */
  readonly fallback: boolean
}

export interface Report {
  /** From the first attempt of each increment until it is stored, in ms. */
  readonly waitsMs: readonly number[]
  readonly attempts: number
  /** What the row says once the writers of this process are done. */
  readonly count: number
}

const MOST_ATTEMPTS = 1_000

const [job] = (await once(process, 'message')) as [Job]
const { store, close } = stores[job.storeName](job.address)
await store.read({ id: ROW, lock: false })
process.send?.('ready')
await once(process, 'message')

const waitsMs: number[] = []
let attempts = 0
await Promise.all(Array.from({ length: job.writers }, writer))
const row = await store.read({ id: ROW, lock: false })
await close()
const report: Report = { waitsMs, attempts, count: row?.value.count ?? Number.NaN }
process.send?.(report, () => process.disconnect())

async function writer(): Promise<void> {
  for (let done = 0; done < job.increments; done += 1) {
    const startMs = performance.now()
    while (!(await incremented())) {}
    waitsMs.push(performance.now() - startMs)
    // As requests come: each in a turn of the event loop of its own.
    await setImmediate()
  }
}

/** False where every attempt met somebody else. */
async function incremented(): Promise<boolean> {
  let last = 0
  try {
    const options = { maxAttempts: MOST_ATTEMPTS, ...(job.fallback ? {} : { lockAfter: MOST_ATTEMPTS }) }
    await optimisticUpdate({ store, id: ROW, ...options }, ({ count, ...row }, { attempt }) => {
      last = attempt
      return { ...row, count: count + 1 }
    })
    attempts += last
    return true
  } catch (error) {
    if (!isVersionConflictError(error) && !(isStoreError(error) && error.transient)) throw error
    attempts += MOST_ATTEMPTS
    return false
  }
}
