/** A pending timer, to be given back to {@link Clock.clearTimer}. */
export type TimerHandle = unknown

/** The only source of time in the kit; replace it to run the engine under virtual time. */
export interface Clock {
  /** Milliseconds that never step, but stand still while the machine is suspended. */
  monotonicMs(): number
  /** Milliseconds since the Unix epoch; may step either way. */
  wallMs(): number
  setTimer(callback: () => void, delayMs: number): TimerHandle
  clearTimer(timer: TimerHandle): void
}

/** What a store may bring along instead of the system's time and chance: for tests and simulations. */
export interface Environment {
  readonly clock: Clock
  /** Uniform in [0, 1), as `Math.random`. */
  readonly random: () => number
}

const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  setTimer: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimer: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
}

export const systemEnvironment: Environment = { clock: systemClock, random: () => Math.random() }

/** A moment on both clocks. */
export interface Instant {
  readonly monotonicMs: number
  readonly wallMs: number
}

export function now(clock: Clock): Instant {
  return { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() }
}

export function later(instant: Instant, ms: number): Instant {
  return { monotonicMs: instant.monotonicMs + ms, wallMs: instant.wallMs + ms }
}

/**
 * Milliseconds until `deadline`, at most 0 once either clock has passed it.
 *
 * The monotonic clock misses a suspended machine, the wall clock may be stepped back: the nearer of the two counts.
 */
export function msUntil(deadline: Instant, clock: Clock): number {
  return Math.min(deadline.monotonicMs - clock.monotonicMs(), deadline.wallMs - clock.wallMs())
}
