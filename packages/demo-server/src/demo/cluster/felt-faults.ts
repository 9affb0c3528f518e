/** What clients noticed of a fault. */
export interface FeltFault {
  readonly name: string
  /** How long the fault itself lasted, in ms: a store's restart until it takes connections. */
  readonly faultMs: number
  /** Answers that were no charge, and requests that were not answered, until everybody was charged again. */
  readonly failed: number
  /** Longest time in which nobody's charge succeeded, in ms. */
  readonly gapMs: number
  /** Longest time in which some user's charge did not succeed, in ms. */
  readonly userGapMs: number
  /** Whether every user was charged again in time. */
  readonly recovered: boolean
}

interface Window {
  failed: number
  gapMs: number
  userGapMs: number
  /** Users who were not charged since the fault was over; undefined while it goes on. */
  waiting: Set<number> | undefined
  readonly everybodyServed: () => void
}

/** Watches the answers to a load, and measures how long a fault is felt by those who send it. */
export class FeltFaults {
  readonly faults: FeltFault[] = []
  readonly #users: readonly number[]
  readonly #lastMs = new Map<number, number>()
  #window: Window | undefined

  constructor(users: readonly number[]) {
    this.#users = users
  }

  /** Takes one answer: a charge of `userId`, or with undefined none. */
  answered(userId: number | undefined, nowMs = performance.now()): void {
    const window = this.#window
    if (userId === undefined) {
      if (window) window.failed += 1
      return
    }
    const last = this.#lastMs.get(userId)
    if (window !== undefined) {
      window.gapMs = Math.max(window.gapMs, nowMs - Math.max(...this.#lastMs.values()))
      if (last !== undefined) window.userGapMs = Math.max(window.userGapMs, nowMs - last)
      window.waiting?.delete(userId)
      if (window.waiting?.size === 0) window.everybodyServed()
    }
    this.#lastMs.set(userId, nowMs)
  }

  /** Has `inject` cause a fault and end it, then waits until every user was charged again, or `limitMs` have passed. */
  async during(name: string, inject: () => Promise<void>, limitMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const window: Window = {
      failed: 0,
      gapMs: 0,
      userGapMs: 0,
      waiting: undefined,
      everybodyServed: () => resolve(true),
    }
    this.#window = window
    const startedMs = performance.now()
    await inject()
    const faultMs = performance.now() - startedMs
    window.waiting = new Set(this.#users)
    const patience = setTimeout(() => resolve(false), limitMs)
    const recovered = await promise
    clearTimeout(patience)
    this.#window = undefined
    const { failed, gapMs, userGapMs } = window
    this.faults.push({ name, faultMs, failed, gapMs, userGapMs, recovered })
  }
}
