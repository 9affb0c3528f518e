import { seeded } from '../support/seeded.ts'

/** Draws that are the same for the same seed. */
export class Chance {
  /** Uniform in [0, 1), as `Math.random`. */
  readonly unit: () => number

  constructor(seed: number) {
    this.unit = seeded(Math.imul(seed, 0x9e3779b1))
  }

  happens(probability: number): boolean {
    return this.unit() < probability
  }

  between(from: number, to: number): number {
    return from + this.unit() * (to - from)
  }

  /** A whole number from `from` to `to`. */
  whole(from: number, to: number): number {
    return from + Math.floor(this.unit() * (to - from + 1))
  }

  oneOf<Choice>(choices: readonly Choice[]): Choice {
    return choices[Math.floor(this.unit() * choices.length)] as Choice
  }

  /** Draws of its own: how many are made of it does not move the others. */
  fork(): Chance {
    return new Chance(Math.floor(this.unit() * 2 ** 32))
  }
}
