import type { Clock, Environment } from '../../src/time/clock.ts'
import type { Chance } from './chance.ts'
import type { SimulatedEvent } from './event-queue.ts'
import { MachineClock } from './machine-clock.ts'
import type { PlannedProcess } from './scenario.ts'
import type { World } from './world.ts'

/** A timer of Node.js is off by so much, in ms. */
const TIMER = { earlyMs: 0.5, lateMs: 0.9 }
/** What Node.js makes 1 ms of. */
const LONGEST_TIMER_MS = 2_147_483_647

interface Due {
  readonly from: 'timers' | 'messages'
  readonly run: () => void
}

/** A process of Node.js with clocks and timers of its own; it may stop, go on, and die. */
export class SimulatedProcess implements Environment {
  readonly name: string
  readonly machine: MachineClock
  readonly random: () => number
  readonly clock: Clock
  readonly timers = new Set<SimulatedEvent>()
  alive = true
  /** When it was continued after its machine was suspended, on true time. */
  resumedAtMs = Number.NEGATIVE_INFINITY
  /** When it last went on after it had stopped, on its own monotonic clock. */
  wokeAtMs = Number.NEGATIVE_INFINITY
  readonly #world: World
  readonly #punctual: boolean
  #stopped = false
  #toCatchUp = 0
  #due: Due[] = []

  constructor(world: World, name: string, { rate, punctual }: PlannedProcess) {
    this.#world = world
    this.name = name
    this.machine = new MachineClock(world, rate)
    this.#punctual = punctual
    this.random = world.chance.fork().unit
    this.clock = {
      monotonicMs: this.machine.monotonicMs,
      wallMs: this.machine.wallMs,
      setTimer: (callback, delayMs) => this.#setTimer(callback, delayMs),
      clearTimer: (timer) => this.#clearTimer(timer as SimulatedEvent | undefined),
    }
  }

  /** Its event loop turns: what was due has run. */
  get awake(): boolean {
    return this.alive && !this.#stopped && this.#toCatchUp === 0
  }

  /** Something arrives: it is looked at when the process runs, and never if it has died. */
  enter(run: () => void): void {
    this.#enter({ from: 'messages', run })
  }

  /** For `ms` nothing runs here, and with `suspended` the monotonic clock and the timers stand still. */
  stop(ms: number, { suspended }: { suspended: boolean }): void {
    if (this.#stopped || !this.alive) return
    this.#stopped = true
    if (suspended) {
      this.machine.suspend(ms)
      this.#world.postpone(this.timers, ms)
    }
    this.#world.after(ms, () => this.#goOn(suspended))
  }

  die(): void {
    this.alive = false
    for (const timer of this.timers) timer.cancelled = true
    this.timers.clear()
  }

  #enter(due: Due): void {
    if (!this.alive) return
    if (this.#stopped) this.#due.push(due)
    else due.run()
  }

  /** What was due meanwhile comes one after the other, timers and messages in any order. */
  #goOn(suspended: boolean): void {
    if (!this.alive) return
    this.#world.note(`${this.name} goes on`)
    this.#stopped = false
    this.wokeAtMs = this.machine.monotonicMs()
    if (suspended) this.resumedAtMs = this.#world.nowMs
    const due = shuffled(this.#due, this.#world.chance)
    this.#due = []
    this.#toCatchUp += due.length
    for (const each of due) {
      this.#world.after(0, () => {
        this.#toCatchUp -= 1
        this.#enter(each)
      })
    }
  }

  #setTimer(callback: () => void, delayMs: number): SimulatedEvent {
    const ms = delayMs >= 1 && delayMs <= LONGEST_TIMER_MS ? delayMs : 1
    const { chance } = this.#world
    const lateMs = this.#punctual ? chance.between(-TIMER.earlyMs, TIMER.lateMs) : TIMER.lateMs
    const timer = this.#world.after((ms + lateMs) / this.machine.rate, () =>
      this.#enter({
        from: 'timers',
        run: () => {
          if (this.timers.delete(timer)) callback()
        },
      }),
    )
    this.timers.add(timer)
    return timer
  }

  #clearTimer(timer: SimulatedEvent | undefined): void {
    if (timer === undefined) return
    timer.cancelled = true
    this.timers.delete(timer)
  }
}

/** Timers stay in their order, and messages in theirs. */
function shuffled(due: readonly Due[], chance: Chance): Due[] {
  const timers = due.filter(({ from }) => from === 'timers')
  const messages = due.filter(({ from }) => from === 'messages')
  return due.map(() => {
    const first = messages.length === 0 || (timers.length > 0 && chance.happens(0.5)) ? timers : messages
    return first.shift() as Due
  })
}
