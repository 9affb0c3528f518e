import type { Signal } from '../../src/abort.ts'
import type { Grant } from './grant.ts'
import type { RemoteLockStore } from './remote-store.ts'
import type { SimulatedCall } from './simulated-call.ts'

/** What a section's code sees of its lease, of one key or of a list. */
export interface SeenLease {
  readonly signal: Signal
  readonly fencingToken?: bigint
  readonly fencingTokens?: ReadonlyMap<string, bigint>
  assertHeld(): void
}

/** A section that is running, and the grants behind its lease. */
export interface RunningSection {
  readonly call: SimulatedCall
  readonly store: RemoteLockStore
  readonly lease: SeenLease
  readonly grants: readonly Grant[]
  /** Where the section has kept its lease's signal. */
  readonly signal: Signal | undefined
}
