import type { Signal } from '../../../abort.ts'
import { Batches, type BatchesOptions } from './batches.ts'

interface Grant {
  readonly holder: string
  readonly onLost: (cause: unknown) => void
  /** Whether the server granted it. */
  readonly answer: Promise<boolean>
  held: boolean
  releasing: boolean
}

/**
 * Advisory locks by number, all on one connection.
 *
 * The server gives a session what it has already, once more; so exclusion within the connection is kept here.
 */
export class ConnectionLocks {
  readonly #grants = new Map<bigint, Grant>()
  readonly #watchers = new Map<string, Set<() => void>>()
  readonly #batches: Batches

  constructor(options: Omit<BatchesOptions, 'onReleased' | 'onLost'>) {
    this.#batches = new Batches({
      ...options,
      onReleased: (number) => this.#wake(number),
      onLost: (error) => this.#lost(error),
    })
  }

  async acquire(number: bigint, holder: string, onLost: (cause: unknown) => void, signal: Signal): Promise<boolean> {
    const other = this.#grants.get(number)
    if (other !== undefined) {
      if (other.holder !== holder || other.releasing) return false
      return other.answer.catch((error) => {
        if (signal.aborted || other.releasing) throw error
        // The connection is gone with what was asked before: the next one is asked now.
        return this.acquire(number, holder, onLost, signal)
      })
    }
    const answer = this.#batches.ask('lock', number, signal)
    const grant: Grant = { holder, onLost, answer, held: false, releasing: false }
    this.#grants.set(number, grant)
    try {
      grant.held = await answer
      return grant.held
    } finally {
      if (!grant.held) this.#forget(number, grant)
    }
  }

  /** Whether `holder` has `number`, by the server's word. */
  async prove(number: bigint, holder: string, signal: Signal): Promise<boolean> {
    const grant = this.#grants.get(number)
    if (grant?.holder !== holder || !grant.held || grant.releasing) return false
    const held = await this.#batches.ask('held', number, signal)
    if (!held && !grant.releasing) this.#forget(number, grant)
    return held
  }

  async release(number: bigint, holder: string): Promise<boolean> {
    const grant = this.#grants.get(number)
    if (grant?.holder !== holder || grant.releasing) return false
    grant.releasing = true
    try {
      // An acquire for which nobody waits any more may be granted yet.
      if (!(await grant.answer.catch(() => false))) return false
      return await this.#batches.ask('unlock', number)
    } finally {
      this.#forget(number, grant)
      this.#wake(String(number))
    }
  }

  watch(number: bigint, mayBeFree: () => void): () => void {
    const name = String(number)
    const watchers = this.#watchers.get(name) ?? new Set()
    this.#watchers.set(name, watchers.add(mayBeFree))
    // The connection listened before the first lock was asked for, but nobody listened to it for this number.
    mayBeFree()
    return () => {
      watchers.delete(mayBeFree)
      if (watchers.size === 0 && this.#watchers.get(name) === watchers) this.#watchers.delete(name)
    }
  }

  async close(): Promise<void> {
    this.#batches.refuse()
    const released = [...this.#grants].map(([number, { holder }]) => this.release(number, holder).catch(() => false))
    await Promise.all(released)
    await this.#batches.close()
  }

  #lost(error: unknown): void {
    const held = [...this.#grants].filter(([, grant]) => grant.held)
    for (const [number] of held) this.#grants.delete(number)
    for (const [, grant] of held) if (!grant.releasing) grant.onLost(error)
    // The next who asks checks out another connection, and listens on it.
    for (const number of this.#watchers.keys()) this.#wake(number)
  }

  #forget(number: bigint, grant: Grant): void {
    if (this.#grants.get(number) === grant) this.#grants.delete(number)
  }

  #wake(number: string): void {
    const watchers = this.#watchers.get(number)
    if (watchers !== undefined) for (const mayBeFree of watchers) mayBeFree()
  }
}
