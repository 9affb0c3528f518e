import { ask } from '../../../store-command.ts'
import type { Clock } from '../../../time/clock.ts'
import type { RedlockNode } from './ballot.ts'

/** KEYS: the lock. Returns what the key holds if that is not a lock; nil if it is a lock or free. */
const FOREIGN = `
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'none' then return nil end
if kind ~= 'string' then return 'a ' .. kind end
return redis.call('PTTL', KEYS[1]) == -1 and 'a value that never expires' or nil`

/** How many keys are remembered. */
const MOST_KEYS = 1_024

/**
 * Finds out what a key holds if that is not a lock: redlock itself only reports that the key exists.
 *
 * Asks a node once per key that cannot be acquired, and again only after the key was acquired.
 */
export class ForeignValues {
  readonly #nodeMs: number
  readonly #clock: Clock
  readonly #known = new Map<string, string | undefined>()

  constructor(nodeMs: number, clock: Clock) {
    this.#nodeMs = nodeMs
    this.#clock = clock
  }

  /** @param node - One that refused the key. */
  async at(key: string, node: RedlockNode | undefined): Promise<string | undefined> {
    if (node === undefined || this.#known.has(key)) return this.#known.get(key)
    if (this.#known.size >= MOST_KEYS) this.#known.clear()
    // Best effort: if the node does not answer, the key counts as locked.
    const kind = await Promise.resolve(ask('eval', this.#nodeMs, this.#clock, () => evaluate(node, key))).catch(
      () => {},
    )
    const foreign = typeof kind === 'string' ? kind : undefined
    this.#known.set(key, foreign)
    return foreign
  }

  forget(key: string): void {
    this.#known.delete(key)
  }
}

/** Takes a callback, because redlock 4.2 also runs on clients that return no promise. */
function evaluate(node: RedlockNode, key: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const answered = (error: unknown, reply: unknown) => (error == null ? resolve(reply) : reject(error))
    Reflect.apply(node.eval, node, [FOREIGN, 1, key, answered])
  })
}
