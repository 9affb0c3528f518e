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
  readonly enteredAtMs: number
  /** An attempt that was made for this waiter is not cut short by `waitMs`: everybody at the head gets one answer. */
  attempt: 'none' | 'running' | 'answered' = 'none'
  /** `waitMs` is over: the attempt that is running is the last. */
  overdue: boolean
  readonly #resolve: (lease: SectionLease) => void
  readonly #reject: (error: unknown) => void
  #stopListening: (() => void) | undefined

  constructor(
    wanted: Wanted,
    enteredAtMs: number,
    resolve: (lease: SectionLease) => void,
    reject: (error: unknown) => void,
  ) {
    this.wanted = wanted
    this.enteredAtMs = enteredAtMs
    this.overdue = wanted.waitMs === 0
    this.#resolve = resolve
    this.#reject = reject
  }

  get endMs(): number {
    return this.enteredAtMs + this.wanted.waitMs
  }

  onAbort(signal: Signal, abort: () => void): void {
    this.#stopListening = listen(signal, abort)
  }

  grant(lease: SectionLease): void {
    this.#stopListening?.()
    this.#resolve(lease)
  }

  refuse(error: unknown): void {
    this.#stopListening?.()
    this.#reject(error)
  }
}

/**
 * The ends of many waits by one timer: it is set for the nearest of them, and looks at everybody when it fires. So a wait
 * that ends well costs nothing.
 */
export class WaitEnds {
  readonly #clock: Clock
  readonly #waiters: Iterable<Waiter>
  readonly #onOver: (waiter: Waiter) => void
  #nextMs = Number.POSITIVE_INFINITY
  #timer: TimerHandle

  constructor(clock: Clock, waiters: Iterable<Waiter>, onOver: (waiter: Waiter) => void) {
    this.#clock = clock
    this.#waiters = waiters
    this.#onOver = onOver
  }

  watch(waiter: Waiter): void {
    if (!waiter.overdue && waiter.endMs < this.#nextMs)
      this.#set(waiter.endMs, waiter.endMs - this.#clock.monotonicMs())
  }

  stop(): void {
    this.#nextMs = Number.POSITIVE_INFINITY
    this.#clock.clearTimer(this.#timer)
  }

  #set(atMs: number, delayMs: number): void {
    this.#clock.clearTimer(this.#timer)
    this.#nextMs = atMs
    // Timers count whole milliseconds, and many waits may end in the same one.
    this.#timer = this.#clock.setTimer(() => this.#look(), Math.max(1, Math.ceil(delayMs)))
  }

  #look(): void {
    const nowMs = this.#clock.monotonicMs()
    this.#nextMs = Number.POSITIVE_INFINITY
    let nextMs = Number.POSITIVE_INFINITY
    for (const waiter of this.#waiters) {
      if (waiter.overdue) continue
      if (waiter.endMs <= nowMs) this.#onOver(waiter)
      else nextMs = Math.min(nextMs, waiter.endMs)
    }
    if (nextMs < this.#nextMs) this.#set(nextMs, nextMs - nowMs)
  }
}
