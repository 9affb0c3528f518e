import { LeaseLostError } from '../errors.ts'
import { events } from '../events.ts'
import type { Instant } from '../time/clock.ts'
import { RenewedLease } from '../time/renewed-lease.ts'
import { SectionLease } from './lease.ts'
import type { StoreAccess } from './store-access.ts'

export interface Granted {
  readonly key: string
  readonly holder: string
  readonly ttlMs: number
  readonly sentAt: Instant
  /** Undefined on a store without fencing. */
  readonly firstToken: bigint | undefined
  /** How many sections the lease may serve. */
  readonly sections: number
}

/** A lease that this process has from the store, until it is given back or lost; serves one section at a time. */
export class Hold {
  readonly key: string
  readonly holder: string
  readonly ttlMs: number
  /** Called once, when the lease can no longer be trusted. */
  onLost: () => void = () => {}
  readonly #store: StoreAccess
  readonly #lease: RenewedLease
  readonly #acquiredAtMs: number
  #nextToken: bigint | undefined
  #sectionsLeft: number
  #section: SectionLease | undefined
  #lost: LeaseLostError | undefined

  constructor(store: StoreAccess, { key, holder, ttlMs, sentAt, firstToken, sections }: Granted) {
    this.#store = store
    this.key = key
    this.holder = holder
    this.ttlMs = ttlMs
    this.#acquiredAtMs = sentAt.monotonicMs
    this.#nextToken = firstToken
    this.#sectionsLeft = sections
    this.#lease = new RenewedLease({
      clock: store.clock,
      leaseMs: ttlMs,
      sentAt,
      extend: (limitMs) => store.extend(this, Math.min(store.commandMs, limitMs)),
      onLost: (why, cause) => this.#onLost(why, cause),
    })
  }

  get lost(): LeaseLostError | undefined {
    return this.#lost
  }

  lostByNow(): boolean {
    this.#lease.check()
    return this.#lost !== undefined
  }

  /** @param handedOff - Whether an earlier section of this process used this hold. */
  openSection(handedOff: boolean): SectionLease {
    const lease = new SectionLease(this, this.#nextToken, this.#store.clock.monotonicMs(), handedOff)
    if (this.#nextToken !== undefined) this.#nextToken += 1n
    this.#sectionsLeft -= 1
    this.#section = lease
    return lease
  }

  /** Whether a caller who asks for `ttlMs` may have this lease without asking the store. */
  canServe(ttlMs: number): boolean {
    return (
      this.#lost === undefined &&
      this.#sectionsLeft > 0 &&
      ttlMs <= this.ttlMs &&
      this.#store.clock.monotonicMs() - this.#acquiredAtMs < this.#store.handOff.maxMs &&
      this.#lease.msLeft() >= ttlMs / 2
    )
  }

  stop(): void {
    this.#lease.stop()
  }

  lose(why: string, cause?: unknown): void {
    this.#lease.lose(why, cause)
  }

  #onLost(why: string, cause: unknown): void {
    const error = new LeaseLostError(this.key, why, cause === undefined ? {} : { cause })
    this.#lost = error
    const publish = () => {
      events.lock.lost.publish({ store: this.#store.name, key: this.key, holder: this.holder, error })
    }
    if (events.lock.lost.hasSubscribers) (this.#section?.context ?? call)(publish)
    this.#section?.lose(error)
    this.onLost()
  }
}

function call(run: () => void): void {
  run()
}
