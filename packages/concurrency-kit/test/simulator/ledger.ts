import type { MachineClock } from './machine-clock.ts'
import type { World } from './world.ts'

interface Entry {
  readonly holder: string
  endsAtMs: number
}

/**
 * Who has what by the store's own word: kept beside the store's code from its answers, as true as the world's time.
 *
 * What the store has acknowledged and then forgotten is doubtful from then on, until it is acknowledged again.
 */
export class Ledger {
  readonly #world: World
  readonly #clock: MachineClock
  readonly #entries = new Map<string, Entry>()
  readonly #doubtfulSince = new Map<string, number>()

  constructor(world: World, clock: MachineClock) {
    this.#world = world
    this.#clock = clock
  }

  granted(key: string, holder: string, ttlMs: number): void {
    const before = this.#live(key)
    if (before !== undefined && before.holder !== holder)
      this.#world.violated('one holder per key', `${key} was granted to ${holder} while ${before.holder} has it`)
    this.#entries.set(key, { holder, endsAtMs: this.#clock.wallMs() + ttlMs })
    this.#acknowledged(key, holder, ttlMs)
  }

  extended(key: string, holder: string, ttlMs: number): void {
    const entry = this.#live(key)
    if (entry?.holder !== holder) return
    entry.endsAtMs = this.#clock.wallMs() + ttlMs
    this.#acknowledged(key, holder, ttlMs)
  }

  released(key: string, holder: string): void {
    if (this.#entries.get(key)?.holder === holder) this.#entries.delete(key)
  }

  /** The store has lost its data, or its clock has made a step: nothing that it said before can be relied on. */
  forget({ data }: { data: boolean }): void {
    for (const [key, { holder }] of this.#entries)
      if (this.holds(key, holder)) this.#doubtfulSince.set(holder, this.#world.nowMs)
    if (data) this.#entries.clear()
  }

  /** Its process knows: there is nothing in doubt any more. */
  told(holder: string): void {
    this.#doubtfulSince.set(holder, Number.NEGATIVE_INFINITY)
  }

  holds(key: string, holder: string): boolean {
    return this.#live(key)?.holder === holder
  }

  holderOf(key: string): string | undefined {
    return this.#live(key)?.holder
  }

  doubtfulSince(holder: string): number | undefined {
    return this.#doubtfulSince.get(holder)
  }

  #live(key: string): Entry | undefined {
    const entry = this.#entries.get(key)
    return entry !== undefined && entry.endsAtMs > this.#clock.wallMs() ? entry : undefined
  }

  /** The moment at which the lease ends is a step of the world: who still believes in it then is seen. */
  #acknowledged(key: string, holder: string, ttlMs: number): void {
    this.#doubtfulSince.delete(holder)
    this.#world.after(ttlMs / this.#clock.rate + 1e-6, () => {
      const current = this.#entries.get(key)
      if (current?.holder === holder && !this.holds(key, holder)) this.#world.note(`${key} of ${holder} has expired`)
    })
  }
}
