import { AsyncLocalStorage } from 'node:async_hooks'
import type { SectionLease } from './lease.ts'
import type { LockEngine } from './lock-engine.ts'

interface Frame {
  readonly engine: LockEngine
  readonly leases: readonly SectionLease[]
  readonly outer: Frame | undefined
}

/** The leases of the sections that the current asynchronous context runs in. */
const frames = new AsyncLocalStorage<Frame>()

const NONE: readonly string[] = []

/**
 * Those of `keys` that this context holds; a lease that is over, of work left behind, does not count.
 *
 * A nested call and another caller's job that was started in this context look the same.
 */
export function heldHere(engine: LockEngine, keys: readonly string[]): readonly string[] {
  let held = NONE
  for (let frame = frames.getStore(); frame !== undefined; frame = frame.outer) {
    if (frame.engine !== engine) continue
    const leases = frame.leases.filter((lease) => keys.includes(lease.key) && lease.live)
    held = held.concat(leases.map((lease) => lease.key))
  }
  return held
}

export function runHolding<Result>(engine: LockEngine, leases: readonly SectionLease[], run: () => Result): Result {
  let outer = frames.getStore()
  // Where each section starts the next, those that are over are not kept.
  while (outer?.leases.every((lease) => lease.ended)) outer = outer.outer
  return frames.run({ engine, leases, outer }, run)
}
