import { LeaseLostError } from '../errors.ts'
import { events } from '../events.ts'
import { type Instant, later, msUntil, now, type TimerHandle } from '../time/clock.ts'
import { SectionLease } from './lease.ts'
import type { StoreAccess } from './store-access.ts'

/**
 * How much of a lease its holder trusts, in ms from before the command was sent.
 *
 * The margin is for clocks that run at different speeds and for timers that fire late.
 */
export function trustedMs(ttlMs: number): number {
  return ttlMs - Math.min(ttlMs / 100 + 2, ttlMs / 2)
}

/**
 * A lease that this process has from the store, renewed until it is given back or lost; serves one section at a time.
 */
export class Hold {
  readonly key: string
  readonly holder: string
  readonly ttlMs: number
  /** Called once, when the lease can no longer be trusted. */
  onLost: () => void = () => {}
  readonly #store: StoreAccess
  readonly #acquiredAtMs: number
  #deadline: Instant
  #timer: TimerHandle
  #nextToken: bigint | undefined
  #sectionsLeft: number
  #section: SectionLease | undefined
  #lost: LeaseLostError | undefined
  #over = false

  constructor(
    store: StoreAccess,
    lease: {
      key: string
      holder: string
      ttlMs: number
      sentAt: Instant
      firstToken: bigint | undefined
      sections: number
    },
  ) {
    this.#store = store
    this.key = lease.key
    this.holder = lease.holder
    this.ttlMs = lease.ttlMs
    this.#acquiredAtMs = lease.sentAt.monotonicMs
    this.#deadline = later(lease.sentAt, trustedMs(lease.ttlMs))
    this.#nextToken = lease.firstToken
    this.#sectionsLeft = lease.sections
    this.#watchUntil(this.ttlMs / 3)
  }

  get lost(): LeaseLostError | undefined {
    return this.#lost
  }

  /** Looks at the clocks too: a stalled process has not had its timers yet. */
  lostByNow(): boolean {
    if (!this.#over && this.#msLeft() <= 0) this.lose('its deadline has passed')
    return this.#lost !== undefined
  }

  openSection(): SectionLease {
    const lease = new SectionLease(this, this.#nextToken, this.#store.clock.monotonicMs())
    if (this.#nextToken !== undefined) this.#nextToken += 1n
    this.#sectionsLeft -= 1
    this.#section = lease
    return lease
  }

  /** Whether a caller who asks for `ttlMs` may have this lease without asking the store. */
  canServe(ttlMs: number): boolean {
    return (
      this.#sectionsLeft > 0 &&
      ttlMs <= this.ttlMs &&
      this.#store.clock.monotonicMs() - this.#acquiredAtMs < this.#store.handOff.maxMs &&
      this.#msLeft() >= ttlMs / 2 &&
      !this.lostByNow()
    )
  }

  /** Ends renewal: an extension that is under way changes nothing any more. */
  stop(): void {
    this.#over = true
    this.#store.clock.clearTimer(this.#timer)
  }

  lose(why: string, cause?: unknown): void {
    if (this.#over) return
    this.stop()
    const error = new LeaseLostError(this.key, why, cause === undefined ? {} : { cause })
    this.#lost = error
    if (events.lock.lost.hasSubscribers) {
      events.lock.lost.publish({ store: this.#store.name, key: this.key, holder: this.holder, error })
    }
    this.#section?.lose(error)
    this.onLost()
  }

  #msLeft(): number {
    return msUntil(this.#deadline, this.#store.clock)
  }

  /** One timer serves both: the next try to renew, and the deadline if that is nearer. */
  #watchUntil(delayMs: number, cause?: unknown): void {
    const { clock } = this.#store
    clock.clearTimer(this.#timer)
    this.#timer = clock.setTimer(
      () => {
        if (this.#msLeft() < 1) this.lose('it could not be renewed in time', cause)
        else void this.#renew(cause)
      },
      Math.ceil(Math.max(0, Math.min(delayMs, this.#msLeft()))),
    )
  }

  async #renew(earlier: unknown): Promise<void> {
    const sentAt = now(this.#store.clock)
    this.#watchUntil(this.#msLeft(), earlier)
    try {
      const extended = await this.#store.extend(this, Math.min(this.#store.commandMs, this.ttlMs / 3))
      if (this.#over) return
      if (!extended) return this.lose('the store has given the key away, or forgotten it')
      this.#deadline = later(sentAt, trustedMs(this.ttlMs))
      this.#watchUntil(this.ttlMs / 3 - (this.#store.clock.monotonicMs() - sentAt.monotonicMs))
    } catch (error) {
      if (this.#over) return
      this.#watchUntil(Math.max(1, Math.min(this.ttlMs / 10, 250)), error)
    }
  }
}
