import type { Chance } from './chance.ts'
import { EventQueue, type SimulatedEvent } from './event-queue.ts'

export interface Violation {
  readonly invariant: string
  readonly what: string
  readonly atMs: number
}

/** So close to each other two messages may be in one packet. */
const ONE_PACKET_MS = 0.2

/** True time, which no process knows, and all that happens in it, one event after the other. */
export class World {
  readonly chance: Chance
  readonly trace: string[] = []
  nowMs = 0
  steps = 0
  violation: Violation | undefined
  readonly #events = new EventQueue()
  readonly #checks: (() => void)[] = []
  #order = 0

  constructor(chance: Chance) {
    this.chance = chance
  }

  after(delayMs: number, run: () => void, group?: object): SimulatedEvent {
    this.#order += 1
    const event = { atMs: this.nowMs + delayMs, order: this.#order, run, group, cancelled: false }
    this.#events.add(event)
    return event
  }

  postpone(events: Iterable<SimulatedEvent>, ms: number): void {
    for (const event of events) event.atMs += ms
    this.#events.sort()
  }

  /** Called after each step, when all that could go on without time has gone on. */
  onEachStep(check: () => void): void {
    this.#checks.push(check)
  }

  note(line: string): void {
    this.trace.push(`${this.nowMs.toFixed(3).padStart(11)}  ${line}`)
  }

  /** The first violation ends the run. */
  violated(invariant: string, what: string): void {
    if (this.violation !== undefined) return
    this.violation = { invariant, what, atMs: this.nowMs }
    this.note(`VIOLATED: ${invariant}: ${what}`)
  }

  /** Goes on until `over`, the end of time, or a violation; false where nothing was left to happen before. */
  async run(over: () => boolean, untilMs: number): Promise<boolean> {
    while (this.violation === undefined && !over()) {
      const event = this.#events.peek()
      if (event === undefined || event.atMs > untilMs) return false
      this.#step()
      await promisesSettled()
      this.steps += 1
      for (const check of this.#checks) check()
    }
    return true
  }

  #step(): void {
    const event = this.#events.take() as SimulatedEvent
    this.nowMs = event.atMs
    event.run()
    const next = this.#events.peek()
    if (event.group === undefined || next?.group !== event.group || next.atMs > this.nowMs + ONE_PACKET_MS) return
    if (this.chance.happens(0.3)) this.#step()
  }
}

/** Ticks run when no promise can go on any more; no turn of the event loop is made, so nothing else gets in between. */
function promisesSettled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve))
}
