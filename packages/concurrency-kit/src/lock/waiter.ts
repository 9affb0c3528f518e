import { listen, type Signal } from '../abort.ts'
import type { Clock, TimerHandle } from '../time/clock.ts'
import type { SectionLease } from './lease.ts'

/** What a caller asks of a key's queue. */
export interface Wanted {
  readonly ttlMs: number
  readonly waitMs: number
  readonly signal: Signal | undefined
}

/** One caller in line for a key. */
export class Waiter {
  readonly wanted: Wanted
  /** An attempt that was made for this waiter is not cut short by `waitMs`: everybody at the head gets one answer. */
  attempt: 'none' | 'running' | 'answered' = 'none'
  /** `waitMs` is over: the attempt that is running is the last. */
  overdue: boolean
  readonly #clock: Clock
  readonly #enteredAtMs: number
  readonly #resolve: (lease: SectionLease) => void
  readonly #reject: (error: unknown) => void
  #timer: TimerHandle
  #stopListening: () => void = () => {}

  constructor(wanted: Wanted, clock: Clock, resolve: (lease: SectionLease) => void, reject: (error: unknown) => void) {
    this.wanted = wanted
    this.overdue = wanted.waitMs === 0
    this.#clock = clock
    this.#enteredAtMs = clock.monotonicMs()
    this.#resolve = resolve
    this.#reject = reject
  }

  start(onAbort: (reason: unknown) => void, onWaitOver: () => void): void {
    const { signal, waitMs } = this.wanted
    this.#stopListening = listen(signal, () => onAbort(signal?.reason))
    if (waitMs > 0) this.#timer = this.#clock.setTimer(onWaitOver, waitMs)
  }

  waitedMs(): number {
    return this.#clock.monotonicMs() - this.#enteredAtMs
  }

  grant(lease: SectionLease): void {
    this.#stop()
    this.#resolve(lease)
  }

  refuse(error: unknown): void {
    this.#stop()
    this.#reject(error)
  }

  #stop(): void {
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer)
    this.#stopListening()
  }
}
