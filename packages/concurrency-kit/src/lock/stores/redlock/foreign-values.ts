import { ask } from '../../../store-command.ts'
import type { Clock } from '../../../time/clock.ts'
import type { RedlockNode } from './ballot.ts'

/** KEYS: the lock. Returns what it holds where that is no lock, and nil where it is one or free. */
const FOREIGN = `
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'none' then return nil end
if kind ~= 'string' then return 'a ' .. kind end
return redis.call('PTTL', KEYS[1]) == -1 and 'a value that never expires' or nil`

/** So many keys are remembered. */
const MOST_KEYS = 1_024

/**
 * What keys hold that is no lock: redlock itself only says that a key exists.
 *
 * A node is asked once for a key that cannot be acquired, and again only after it could.
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
    // Best effort: where the node does not say, the key counts as locked.
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

/** With a callback: redlock 4.2 also runs on clients that give no promise. */
function evaluate(node: RedlockNode, key: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const answered = (error: unknown, reply: unknown) => (error == null ? resolve(reply) : reject(error))
    Reflect.apply(node.eval, node, [FOREIGN, 1, key, answered])
  })
}
