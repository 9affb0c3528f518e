import { setTimeout } from 'node:timers/promises'
import type { Lease } from '../../src/index.ts'

interface Held {
  readonly lease: Lease
  readonly token: bigint | undefined
}

/** Sees every section that begins, and whether another lease on the key still passes as held at that moment. */
export class Observer {
  /** How long each overlap lasted, in ms: until the older lease was known to be lost, or had ended. */
  readonly overlapsMs: number[] = []
  /** Sections whose token was not above all before it. */
  tokensBackwards = 0
  sections = 0
  readonly #held = new Set<Held>()
  readonly #watching: Promise<void>[] = []
  #lastToken = -1n

  enter(lease: Lease, token: bigint | undefined): () => void {
    this.sections += 1
    if (token !== undefined) {
      if (token <= this.#lastToken) this.tokensBackwards += 1
      this.#lastToken = token
    }
    for (const other of this.#held) if (isHeld(other)) this.#watching.push(this.#watch(other))
    const held = { lease, token }
    this.#held.add(held)
    return () => this.#held.delete(held)
  }

  async settled(): Promise<void> {
    await Promise.all(this.#watching)
  }

  async #watch(older: Held): Promise<void> {
    const startedAtMs = performance.now()
    while (this.#held.has(older) && isHeld(older)) await setTimeout(1)
    this.overlapsMs.push(performance.now() - startedAtMs)
  }
}

function isHeld({ lease }: Held): boolean {
  try {
    lease.assertHeld()
    return true
  } catch {
    return false
  }
}

/** What a lock alone cannot keep right when its store forgets: a value that is written by version, and by token where there is one. */
export class Register {
  #value = 0
  #lastToken = -1n

  get value(): number {
    return this.#value
  }

  /** Whether it was written: not when somebody wrote since `expected` was read, nor with a token that is out of date. */
  write(expected: number, token: bigint | undefined): boolean {
    if (this.#value !== expected) return false
    if (token !== undefined && token < this.#lastToken) return false
    this.#lastToken = token ?? this.#lastToken
    this.#value = expected + 1
    return true
  }
}
