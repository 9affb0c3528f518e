import { type Clock, type Environment, systemEnvironment } from '../../src/time/clock.ts'

/** The system's time, less what a test lets it miss or jump. */
export class SkewedTime implements Clock, Environment {
  readonly clock = this
  readonly random = systemEnvironment.random
  #monotonicMs = 0
  #wallMs = 0

  readonly monotonicMs = () => systemEnvironment.clock.monotonicMs() + this.#monotonicMs
  readonly wallMs = () => systemEnvironment.clock.wallMs() + this.#wallMs
  readonly setTimer = systemEnvironment.clock.setTimer
  readonly clearTimer = systemEnvironment.clock.clearTimer

  /** As if the event loop had stood still. */
  stall(ms: number): void {
    this.#monotonicMs += ms
    this.#wallMs += ms
  }

  /** As if the machine had been suspended. */
  suspend(ms: number): void {
    this.#wallMs += ms
  }

  stepWall(ms: number): void {
    this.#wallMs += ms
  }

  /** The monotonic clock did not count these. */
  missMonotonic(ms: number): void {
    this.#monotonicMs -= ms
  }
}
