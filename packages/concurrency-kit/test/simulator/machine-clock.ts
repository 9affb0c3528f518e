import type { World } from './world.ts'

const EPOCH_MS = Date.UTC(2026, 0, 1)

/** The two clocks of a machine, at a rate of its own: the monotonic one never steps, the wall clock may. */
export class MachineClock {
  /** Ms of its own per ms of true time. */
  readonly rate: number
  readonly #world: World
  readonly #bootedAtMs: number
  #suspendedMs = 0
  #steppedMs = 0
  #stoodMs = 0
  #stands: { readonly fromMs: number; readonly untilMs: number } | undefined

  constructor(world: World, rate: number) {
    this.#world = world
    this.rate = rate
    this.#bootedAtMs = world.nowMs - 1_000
  }

  readonly monotonicMs = () => (this.#world.nowMs - this.#bootedAtMs - this.#suspendedMs) * this.rate
  readonly wallMs = () =>
    EPOCH_MS + (this.#world.nowMs - this.#stoodMs - this.#standsMs()) * this.rate + this.#steppedMs

  /** The machine is suspended for `ms` of true time, in which nobody looks at its clocks. */
  suspend(ms: number): void {
    this.#suspendedMs += ms
  }

  stepWall(ms: number): void {
    this.#steppedMs += ms
  }

  /** The wall clock shows the same for `ms` of true time, and goes on from there. */
  holdWall(ms: number): void {
    this.#stoodMs += this.#standsMs()
    this.#stands = { fromMs: this.#world.nowMs, untilMs: this.#world.nowMs + ms }
  }

  #standsMs(): number {
    if (this.#stands === undefined) return 0
    return Math.min(this.#world.nowMs, this.#stands.untilMs) - this.#stands.fromMs
  }
}
