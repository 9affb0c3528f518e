import type { Outcome } from './format.ts'

/** What a client began, whatever it took. */
export type Intent = 'charge' | 'repeat' | 'other payload' | 'balance'

/** Counts what clients did, and how long they had to wait. */
export class Tally {
  readonly intents: Record<Intent, number> = { charge: 0, repeat: 0, 'other payload': 0, balance: 0 }
  readonly outcomes: Record<Outcome, number> = { ok: 0, fail: 0, unknown: 0 }
  /** Answers that say that the server has no word for what went wrong. */
  unforeseen = 0
  retries = 0
  /** Charges that their client had given up when all was over, to be settled then. */
  leftOpen = 0
  /** Longest time in which no new charge was answered, in µs. */
  longestGap = 0
  /** Longest time from a charge's first request to its first answer, in µs. */
  longestCharge = 0
  #lastCharge: number | undefined

  get operations(): number {
    return Object.values(this.intents).reduce((sum, count) => sum + count, 0)
  }

  answered(outcome: Outcome, status: number | undefined): void {
    this.outcomes[outcome] += 1
    if (status === 500) this.unforeseen += 1
  }

  charged(invoked: number, answered: number): void {
    this.longestGap = Math.max(this.longestGap, answered - (this.#lastCharge ?? answered))
    this.longestCharge = Math.max(this.longestCharge, answered - invoked)
    this.#lastCharge = answered
  }
}
