import { type Clock, type Instant, later, msUntil, now, type TimerHandle } from './clock.ts'

/**
 * How much of a lease its holder trusts, in ms from before the command was sent.
 *
 * The margin is for clocks that run at different speeds and for timers that fire late.
 */
export function trustedMs(leaseMs: number): number {
  return leaseMs - Math.min(leaseMs / 100 + 2, leaseMs / 2)
}

export interface RenewedLeaseOptions {
  readonly clock: Clock
  readonly leaseMs: number
  /** When the command that got the lease was sent. */
  readonly sentAt: Instant
  /** Asks the store once, for at most `limitMs`; false when the lease is somebody else's by now. */
  readonly extend: (limitMs: number) => Promise<boolean>
  /** Called at most once: the lease can no longer be trusted. */
  readonly onLost: (why: string, cause?: unknown) => void
}

/**
 * Keeps a store's lease alive: extends it at a third of its length, tries again while it can still be trusted, and says
 * when it no longer can, before the store may give it to another.
 *
 * @see Gray & Cheriton 1989 (leases)
 */
export class RenewedLease {
  readonly #options: RenewedLeaseOptions
  #deadline: Instant
  #timer: TimerHandle
  #over = false

  constructor(options: RenewedLeaseOptions) {
    this.#options = options
    this.#deadline = later(options.sentAt, trustedMs(options.leaseMs))
    this.#wakeIn(options.leaseMs / 3)
  }

  /** Ms for which the lease can be trusted if nothing is heard any more. */
  msLeft(): number {
    return msUntil(this.#deadline, this.#options.clock)
  }

  /** Looks at the clocks: a stalled or suspended process has not had its timers yet. */
  check(): void {
    if (!this.#over && this.msLeft() <= 0) this.#lose('its deadline has passed')
  }

  lose(why: string, cause?: unknown): void {
    if (!this.#over) this.#lose(why, cause)
  }

  /** Ends renewal: an extension that is under way changes nothing any more. */
  stop(): void {
    this.#over = true
    this.#options.clock.clearTimer(this.#timer)
  }

  #lose(why: string, cause?: unknown): void {
    this.stop()
    this.#options.onLost(why, cause)
  }

  /** One timer serves both: the next try to renew, and the deadline if that is nearer. */
  #wakeIn(delayMs: number, earlier?: unknown): void {
    const { clock } = this.#options
    clock.clearTimer(this.#timer)
    this.#timer = clock.setTimer(
      () => {
        if (this.msLeft() < 1) this.#lose('it could not be renewed in time', earlier)
        else void this.#renew(earlier)
      },
      Math.ceil(Math.max(0, Math.min(delayMs, this.msLeft()))),
    )
  }

  async #renew(earlier: unknown): Promise<void> {
    const { clock, leaseMs, extend } = this.#options
    const sentAt = now(clock)
    this.#wakeIn(this.msLeft(), earlier)
    try {
      const extended = await extend(leaseMs / 3)
      if (this.#over) return
      if (!extended) return this.#lose('the store has given it away, or forgotten it')
      this.#deadline = later(sentAt, trustedMs(leaseMs))
      this.#goOn(leaseMs / 3 - (clock.monotonicMs() - sentAt.monotonicMs))
    } catch (error) {
      if (!this.#over) this.#goOn(Math.max(1, Math.min(leaseMs / 10, 250)), error)
    }
  }

  /** An answer may come at the deadline or after it: a timer that is set then is late. */
  #goOn(delayMs: number, error?: unknown): void {
    if (this.msLeft() < 1) this.#lose('it could not be renewed in time', error)
    else this.#wakeIn(delayMs, error)
  }
}
