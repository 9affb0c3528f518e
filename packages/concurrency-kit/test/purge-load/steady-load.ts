import { setTimeout } from 'node:timers/promises'

export interface Load {
  readonly perSecond: number
  /** One call; they are numbered from 0 on over all phases. */
  readonly call: (n: number) => Promise<unknown>
}

/**
 * Calls at a fixed rate, whether or not those before are done: open loop, so that a pause is felt by all that were due in it.
 *
 * Gives how long after it was due each of them was done, in ms.
 *
 * @see Tene 2015, "How NOT to Measure Latency" (coordinated omission)
 */
export class SteadyLoad {
  readonly #load: Load
  #next = 0

  constructor(load: Load) {
    this.#load = load
  }

  /** How many calls there were. */
  get calls(): number {
    return this.#next
  }

  async during(phase: Promise<unknown>): Promise<number[]> {
    const { perSecond, call } = this.#load
    const startMs = performance.now()
    const latenciesMs: number[] = []
    const running = new Set<Promise<void>>()
    const failures: unknown[] = []
    let over = false
    const ended = phase.finally(() => {
      over = true
    })
    ended.catch(() => {})
    for (let n = 0; !over && failures.length === 0; n += 1) {
      const dueMs = startMs + (n * 1_000) / perSecond
      const earlyMs = dueMs - performance.now()
      if (earlyMs > 0) await setTimeout(earlyMs)
      const done = call(this.#next)
        .then(() => {
          latenciesMs.push(performance.now() - dueMs)
        })
        .catch((error) => {
          failures.push(error)
        })
        .finally(() => running.delete(done))
      this.#next += 1
      running.add(done)
    }
    await ended
    await Promise.all(running)
    if (failures.length > 0) throw failures[0]
    return latenciesMs
  }
}
