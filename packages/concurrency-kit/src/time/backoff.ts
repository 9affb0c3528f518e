import { listen, type Signal } from '../abort.ts'
import type { Clock, Environment } from './clock.ts'

/** Bounds of a full-jitter exponential backoff, in ms. */
export interface Backoff {
  /** Ceiling of the first pause. */
  readonly baseMs: number
  /** Ceiling of any pause. */
  readonly capMs: number
}

/**
 * Length of the pause after `attempt` (1-based) has failed: uniform below a ceiling that doubles each time.
 *
 * @see Brooker 2015, "Exponential Backoff And Jitter" (full jitter)
 */
export function backoffMs({ baseMs, capMs }: Backoff, attempt: number, random: () => number): number {
  // Past 2^32 every ceiling is at its cap; past 2^1023 it would be no number.
  return random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt - 1, 32))
}

/** Resolves after `ms`; rejects with `signal.reason` as soon as `signal` aborts. */
export function pause(ms: number, clock: Clock, signal?: Signal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const timer = clock.setTimer(() => {
      stopListening()
      resolve()
    }, ms)
    const stopListening = listen(signal, () => {
      clock.clearTimer(timer)
      reject(signal?.reason)
    })
  })
}

/** {@link pause} for {@link backoffMs}. */
export function backOff(backoff: Backoff, attempt: number, environment: Environment, signal?: Signal): Promise<void> {
  return pause(backoffMs(backoff, attempt, environment.random), environment.clock, signal)
}
