import { listen, type Signal } from '../abort.ts'
import type { Clock, TimerHandle } from '../time/clock.ts'
import type { SectionLease } from './lease.ts'

/** What a caller asks of a key's queue. */
export interface Wanted {
  readonly ttlMs: number
  readonly waitMs: number
  readonly signal: Signal | undefined
  /** Whether the caller's asynchronous context already holds the key. */
  readonly nested: boolean
}

/** One caller in line for a key. */
export class Waiter {
  readonly wanted: Wanted
  readonly enteredAtMs: number
  /** An attempt that was made for this waiter is not cut short by `waitMs`: everybody at the head gets one answer. */
  attempt: 'none' | 'running' | 'answered' = 'none'
  /** `waitMs` is over: the attempt that is running is the last. */
  overdue: boolean
  /** These three are the line's in which it stands. */
  inLine = false
  before: Waiter | undefined
  behind: Waiter | undefined
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

/** A look at everybody puts those in order whose wait ends within this. */
const SOON_MS = 1_000

/**
 * The ends of many waits by one timer: a look at everybody finds those that end soon, and when to look again. So a wait
 * that ends well costs nothing, and one that does not costs little, however many wait.
 */
export class WaitEnds {
  readonly #clock: Clock
  readonly #waiters: Iterable<Waiter>
  readonly #onOver: (waiter: Waiter) => void
  /** By their ends, the nearest last; some may have left. */
  #soon: Waiter[] = []
  #lookedAtMs = Number.NEGATIVE_INFINITY
  /** Nobody's wait ends before, but for those in `#soon`. */
  #lookAtMs = Number.POSITIVE_INFINITY
  #timerAtMs = Number.POSITIVE_INFINITY
  #timer: TimerHandle

  constructor(clock: Clock, waiters: Iterable<Waiter>, onOver: (waiter: Waiter) => void) {
    this.#clock = clock
    this.#waiters = waiters
    this.#onOver = onOver
  }

  watch(waiter: Waiter): void {
    // Who was there at the last look is in `#soon`, or has an end after the next.
    if (waiter.overdue || waiter.endMs >= this.#lookAtMs || waiter.enteredAtMs < this.#lookedAtMs) return
    this.#lookAtMs = waiter.endMs
    this.#wakeAt(waiter.endMs, this.#clock.monotonicMs())
  }

  stop(): void {
    this.#soon = []
    this.#lookAtMs = Number.POSITIVE_INFINITY
    this.#timerAtMs = Number.POSITIVE_INFINITY
    this.#clock.clearTimer(this.#timer)
  }

  #wakeAt(atMs: number, nowMs: number): void {
    if (atMs >= this.#timerAtMs) return
    this.#clock.clearTimer(this.#timer)
    this.#timerAtMs = atMs
    // Timers count whole milliseconds, and many waits may end in the same one.
    this.#timer = this.#clock.setTimer(() => this.#wake(), Math.max(1, Math.ceil(atMs - nowMs)))
  }

  #wake(): void {
    const nowMs = this.#clock.monotonicMs()
    this.#timerAtMs = Number.POSITIVE_INFINITY
    if (this.#lookAtMs <= nowMs) this.#look(nowMs)
    const nextMs = this.#endSoonest(nowMs)
    this.#wakeAt(Math.min(nextMs, this.#lookAtMs), nowMs)
  }

  #look(nowMs: number): void {
    this.#lookedAtMs = nowMs
    this.#lookAtMs = Number.POSITIVE_INFINITY
    this.#soon = []
    for (const waiter of this.#waiters) {
      if (waiter.overdue) continue
      if (waiter.endMs < nowMs + SOON_MS) this.#soon.push(waiter)
      else this.#lookAtMs = Math.min(this.#lookAtMs, waiter.endMs)
    }
    this.#soon.sort((a, b) => a.endMs - b.endMs).reverse()
  }

  /** Ends what is over; when the next of `#soon` is. */
  #endSoonest(nowMs: number): number {
    for (let next = this.#soon.at(-1); next !== undefined; next = this.#soon.at(-1)) {
      const waits = next.inLine && !next.overdue
      if (waits && next.endMs > nowMs) return next.endMs
      this.#soon.pop()
      if (waits) this.#onOver(next)
    }
    return Number.POSITIVE_INFINITY
  }
}
