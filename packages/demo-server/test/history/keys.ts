import type { Chance } from '../../../concurrency-kit/test/simulator/chance.ts'

/** A charge, as its key stands for it. */
export interface Charge {
  readonly key: string
  readonly user: number
  readonly amount: number
}

const RECENT = 64
const KEPT = 20_000
const RECENT_SHARE = 0.5

/** Keys to be repeated: those of this moment, which may be under way still, and some of all that ever were. */
export class Keys {
  readonly #recent: Charge[] = []
  readonly #kept: Charge[] = []
  #count = 0

  next(user: number, amount: number, chance: Chance): Charge {
    this.#count += 1
    const charge = { key: `k${this.#count}`, user, amount }
    this.#recent[this.#count % RECENT] = charge
    if (this.#kept.length < KEPT) this.#kept.push(charge)
    else if (chance.happens(KEPT / this.#count)) this.#kept[chance.whole(0, KEPT - 1)] = charge
    return charge
  }

  old(chance: Chance): Charge | undefined {
    const recent = this.#recent.filter(Boolean)
    return chance.oneOf(chance.happens(RECENT_SHARE) ? recent : this.#kept)
  }
}
