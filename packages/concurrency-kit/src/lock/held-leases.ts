import { AsyncLocalStorage } from 'node:async_hooks'
import { ReentrantLockError } from '../errors.ts'
import type { SectionLease } from './lease.ts'
import type { LockEngine } from './lock-engine.ts'

interface Frame {
  readonly engine: LockEngine
  readonly leases: readonly SectionLease[]
  readonly outer: Frame | undefined
}

/** The leases of the sections that the current asynchronous context runs in. */
const frames = new AsyncLocalStorage<Frame>()

/** @throws ReentrantLockError this context holds one of `keys`; a lease that is over, of work left behind, does not count. */
export function refuseReentrance(engine: LockEngine, keys: readonly string[]): void {
  for (let frame = frames.getStore(); frame !== undefined; frame = frame.outer) {
    if (frame.engine !== engine) continue
    const held = frame.leases.find((lease) => lease.live && keys.includes(lease.key))
    if (held !== undefined) throw new ReentrantLockError(held.key)
  }
}

export function runHolding<Result>(engine: LockEngine, leases: readonly SectionLease[], run: () => Result): Result {
  return frames.run({ engine, leases, outer: frames.getStore() }, run)
}
