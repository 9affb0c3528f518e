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
 * The `keys` that this context holds. A lease that has ended does not count, even if work of its section still runs.
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
  // Drop sections that are over: a chain in which each section starts the next must not grow.
  while (outer?.leases.every((lease) => lease.ended)) outer = outer.outer
  return frames.run({ engine, leases, outer }, run)
}
