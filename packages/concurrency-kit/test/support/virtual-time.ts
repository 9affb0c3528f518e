import type { Clock, Environment } from '../../src/time/clock.ts'

interface Timer {
  readonly atMs: number
  readonly callback: () => void
}

/** A clock that moves only when told to; its monotonic side stands still while the machine is "suspended". */
export class VirtualTime implements Clock, Environment {
  readonly clock = this
  #monotonicMs = 1_000
  #wallMs = Date.UTC(2026, 0, 1)
  readonly #timers = new Set<Timer>()

  readonly random = () => 0.5
  readonly monotonicMs = () => this.#monotonicMs
  readonly wallMs = () => this.#wallMs

  get pendingTimers(): number {
    return this.#timers.size
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const timer = { atMs: this.#monotonicMs + Math.max(delayMs, 0), callback }
    this.#timers.add(timer)
    return timer
  }

  clearTimer(timer: unknown): void {
    this.#timers.delete(timer as Timer)
  }

  /** Lets `ms` pass: every timer fires at its time, and what it starts goes on before the next. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#monotonicMs + ms
    await settle()
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a.atMs - b.atMs)[0]
      if (next === undefined || next.atMs > endMs) break
      this.#timers.delete(next)
      this.#pass(Math.max(0, next.atMs - this.#monotonicMs))
      next.callback()
      await settle()
    }
    this.#pass(endMs - this.#monotonicMs)
    await settle()
  }

  /** The event loop stands still: time passes on both clocks, and no timer fires. */
  stall(ms: number): void {
    this.#pass(ms)
  }

  /** The machine is suspended: only the wall clock goes on. */
  suspend(ms: number): void {
    this.#wallMs += ms
  }

  stepWall(ms: number): void {
    this.#wallMs += ms
  }

  #pass(ms: number): void {
    this.#monotonicMs += ms
    this.#wallMs += ms
  }
}

/** Until every promise that can go on without time has gone on. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate)
}
