import { setTimeout } from 'node:timers/promises'
import {
  isLeaseLostError,
  isLockUnavailableError,
  isStoreError,
  type LockStore,
  withDistributedLock,
} from '../../src/index.ts'
import type { Report } from './observer.ts'
import type { Presence } from './presence.ts'
import type { Register } from './register.ts'
import { TTL_MS } from './timing.ts'

const CALLERS = 2
/** So many sections are longer than their lease. */
const LONG_SHARE = 0.25
const LONG_MS = TTL_MS * 1.4

export interface CallersOf {
  readonly store: LockStore
  readonly key: string
  readonly register: Register
  readonly presence: Presence
  readonly report: (report: Report) => void
}

/** The callers of one process: each increments the register in one section after another. They end when what is given back is called. */
export function runCallers({ store, key, register, presence, report }: CallersOf): () => Promise<void> {
  let running = true
  const section = async (token: bigint | undefined, long: boolean) => {
    const read = await register.read()
    await setTimeout(long ? LONG_MS : Math.random() * 5)
    if (await register.write(read, token)) report({ what: 'acknowledged' })
  }
  const caller = async () => {
    while (running) {
      try {
        await withDistributedLock({ store, key, ttlMs: TTL_MS, waitMs: 2_000 }, async (lease) => {
          const token = 'fencingToken' in lease ? (lease.fencingToken as bigint | undefined) : undefined
          const long = Math.random() < LONG_SHARE
          const leave = presence.enter(lease, token, long)
          try {
            await section(token, long)
          } finally {
            leave()
          }
        })
      } catch (error) {
        if (!isLeaseLostError(error) && !isLockUnavailableError(error) && !isStoreError(error))
          report({ what: 'fault', error: String(error) })
        await setTimeout(5)
      }
    }
  }
  const callers = Array.from({ length: CALLERS }, caller)
  return async () => {
    running = false
    await Promise.all(callers)
  }
}
