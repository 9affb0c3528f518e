import type { Signal } from '../abort.ts'
import { keyText, oneOf, shown, signalOption, wholeNumber } from '../options.ts'
import { LockEngine } from './lock-engine.ts'
import type { LockStore } from './lock-store.ts'

export interface LockOptions<Key extends string | readonly string[], Fencing extends boolean> {
  readonly store: LockStore<Fencing>
  /** The key, or a list of keys; each at most 1024 bytes in UTF-8, no NUL, no lone surrogate. */
  readonly key: Key
  /** Lease length in ms, integer >= 1; renewed at about a third of it. @defaultValue 10_000 */
  readonly ttlMs?: number
  /** Longest wait in ms for all keys, integer >= 0; 0 tries once. @defaultValue 5_000 */
  readonly waitMs?: number
  /** Ends the wait: the call rejects with its `reason`. A section that has begun is not touched. */
  readonly signal?: Signal | undefined
  /**
   * What to do if the call's asynchronous context already holds the key: `'refuse'` rejects at once with
   * `ReentrantLockError`, `'wait'` waits like any other caller.
   *
   * A nested call would deadlock. Another caller's job that a shared queue or an event emitter started in this context would
   * not, but it looks the same. `AsyncResource.bind` binds such a job to its own caller. @defaultValue 'refuse'
   */
  readonly reentrance?: 'refuse' | 'wait'
}

const REENTRANCE = ['refuse', 'wait'] as const

export interface CheckedLockOptions {
  readonly engine: LockEngine
  /** Without duplicates, in the one order in which every caller takes them. */
  readonly keys: readonly string[]
  readonly ttlMs: number
  readonly waitMs: number
  readonly signal: Signal | undefined
  readonly reentrance: 'refuse' | 'wait'
}

export function checkLockOptions(options: LockOptions<string | readonly string[], boolean>): CheckedLockOptions {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`options must be an object, but is ${shown(options)}`)
  const { key, ttlMs = 10_000, waitMs = 5_000, signal, reentrance = 'refuse' } = options
  signalOption(signal)
  return {
    engine: LockEngine.of(options.store),
    keys: Array.isArray(key) ? canonical(key) : [keyText('key', key)],
    ttlMs: wholeNumber('ttlMs', ttlMs, 1),
    waitMs: wholeNumber('waitMs', waitMs, 0),
    signal,
    reentrance: oneOf('reentrance', reentrance, REENTRANCE),
  }
}

/** By UTF-16 code units: the same order in every process, whatever its locale. */
function canonical(keys: readonly unknown[]): readonly string[] {
  if (keys.length === 0) throw new RangeError('key must not be an empty list')
  return [...new Set(keys.map((key, index) => keyText(`key[${index}]`, key)))].sort()
}
