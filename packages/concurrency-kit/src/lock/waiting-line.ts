import type { Waiter } from './waiter.ts'

/**
 * Waiters in the order in which they came; each can leave from where it stands.
 *
 * A list, as a `Set` walks past all that have left before it finds its first: with 10 000 in line, most of a hand-off.
 */
export class WaitingLine implements Iterable<Waiter> {
  #first: Waiter | undefined
  #last: Waiter | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  get first(): Waiter | undefined {
    return this.#first
  }

  add(waiter: Waiter): void {
    waiter.inLine = true
    waiter.before = this.#last
    if (this.#last === undefined) this.#first = waiter
    else this.#last.behind = waiter
    this.#last = waiter
    this.#size += 1
  }

  delete(waiter: Waiter): void {
    if (!waiter.inLine) return
    waiter.inLine = false
    const { before, behind } = waiter
    if (before === undefined) this.#first = behind
    else before.behind = behind
    if (behind === undefined) this.#last = before
    else behind.before = before
    // Who has left holds on to nobody: not to those who leave later either.
    waiter.before = undefined
    waiter.behind = undefined
    this.#size -= 1
  }

  /** Nobody may leave meanwhile. */
  *[Symbol.iterator](): Iterator<Waiter> {
    for (let waiter = this.#first; waiter !== undefined; waiter = waiter.behind) yield waiter
  }
}
