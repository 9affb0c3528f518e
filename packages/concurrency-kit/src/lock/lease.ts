import type { Signal } from '../abort.ts'
import { LeaseLostError } from '../errors.ts'
import type { Hold } from './hold.ts'

/** The right to work on a key for now, as its section sees it. Dead once the section has ended. */
export interface Lease<Key = string> {
  readonly key: Key
  /** Aborts, with a `LeaseLostError`, as soon as the lease can no longer be trusted. Never by the section's ending. */
  readonly signal: Signal
  /**
   * Returns while the lease is certainly live.
   *
   * @throws LeaseLostError it was lost, its deadline has passed unnoticed (a stalled or suspended process), or its
   * section has ended.
   */
  assertHeld(): void
}

/** What a store with fencing adds: to be passed to every write that must not be late. */
export interface FencingToken {
  /** Strictly above the token of every earlier section on this key, by whatever process; not dense. */
  readonly fencingToken: bigint
}

/** {@link FencingToken} of a lease on a list of keys. */
export interface FencingTokens {
  readonly fencingTokens: ReadonlyMap<string, bigint>
}

/** The lease that a section gets: with fencing tokens only where the store's type promises them. */
export type LeaseOn<Key extends string | readonly string[], Fencing extends boolean> = [Fencing] extends [true]
  ? Lease<Key> & ([Key] extends [string] ? FencingToken : FencingTokens)
  : Lease<Key>

/** One section's view of the hold that this process has on a key. */
export class SectionLease implements Lease {
  readonly hold: Hold
  /** Undefined on a store without fencing. */
  readonly token: bigint | undefined
  readonly startedAtMs: number
  /** Whether an earlier section of this process used the same hold. */
  readonly handedOff: boolean
  /** Runs a function in the caller's asynchronous context; undefined if no listener needs it. */
  context: ((run: () => void) => void) | undefined
  #controller: AbortController | undefined
  #ended = false

  constructor(hold: Hold, token: bigint | undefined, startedAtMs: number, handedOff: boolean) {
    this.hold = hold
    this.token = token
    this.startedAtMs = startedAtMs
    this.handedOff = handedOff
  }

  get key(): string {
    return this.hold.key
  }

  get fencingToken(): bigint | undefined {
    return this.token
  }

  get signal(): Signal {
    this.#controller ??= new AbortController()
    if (!this.#ended && this.hold.lostByNow() && !this.#controller.signal.aborted)
      this.#controller.abort(this.hold.lost)
    return this.#controller.signal
  }

  get live(): boolean {
    return !this.#ended && !this.hold.lostByNow()
  }

  get ended(): boolean {
    return this.#ended
  }

  assertHeld(): void {
    if (this.#ended) throw new LeaseLostError(this.key, 'its section has ended')
    if (this.hold.lostByNow()) throw this.hold.lost
  }

  end(): void {
    this.#ended = true
  }

  lose(error: LeaseLostError): void {
    this.#controller?.abort(error)
  }
}

/** The leases of one section that asked for a list of keys. */
export class LeaseList implements Lease<readonly string[]>, FencingTokens {
  readonly key: readonly string[]
  readonly #leases: readonly SectionLease[]
  #signal: Signal | undefined

  constructor(leases: readonly SectionLease[]) {
    this.#leases = leases
    this.key = leases.map((lease) => lease.key)
  }

  get signal(): Signal {
    // Each is asked every time: after a stall that is what looks at the clocks.
    const signals = this.#leases.map((lease) => lease.signal)
    this.#signal ??= AbortSignal.any(signals)
    return this.#signal
  }

  get fencingTokens(): ReadonlyMap<string, bigint> {
    return new Map(this.#leases.flatMap(({ key, token }) => (token === undefined ? [] : [[key, token] as const])))
  }

  assertHeld(): void {
    for (const lease of this.#leases) lease.assertHeld()
  }
}
