import { isDeepStrictEqual } from 'node:util'
import { shown } from '../options.ts'
import { isPlain } from './deep-freeze.ts'

/**
 * Runs a function a second time, on a copy of what it got, and compares.
 *
 * The copy is not frozen, so that writing to it shows even where sloppy mode writes to a frozen object and tells nobody.
 */
export class PurityCheck<Value> {
  readonly #input: Value
  readonly #before: Value

  /** `input` has not been given to the function yet. */
  constructor(input: Value) {
    this.#input = input
    this.#before = copyOf(input)
  }

  /** @throws TypeError the function is not pure: of the same value it did not make `output`, or it wrote to it. */
  async refuse(output: Value, again: (input: Value) => Value | PromiseLike<Value>): Promise<void> {
    this.#refuseWrites(this.#input)
    const copy = copyOf(this.#before)
    let second: Value
    try {
      second = await again(copy)
    } catch (cause) {
      throw new TypeError('change is not pure: run again on the same value, it threw', { cause })
    }
    this.#refuseWrites(copy)
    const made = difference(output, second)
    if (made !== undefined) throw new TypeError(`change is not pure: run again on the same value, it made ${made}`)
  }

  #refuseWrites(input: Value): void {
    const made = difference(this.#before, input)
    if (made !== undefined) throw new TypeError(`change must not write to its value, but made ${made}`)
  }
}

/** The value itself where a copy would not be the same, as that of a class instance. */
function copyOf<Value>(value: Value): Value {
  try {
    const copy = structuredClone(value)
    return isDeepStrictEqual(copy, value) ? copy : value
  } catch {
    return value
  }
}

/** The first place where two values differ, and what is there. */
function difference(first: unknown, second: unknown, path = '$'): string | undefined {
  if (isDeepStrictEqual(first, second)) return undefined
  if (isPlain(first) && isPlain(second)) {
    for (const name of new Set([...Object.keys(first), ...Object.keys(second)])) {
      const place = Array.isArray(first) ? `[${name}]` : `.${name}`
      const found = difference(first[name], second[name], `${path}${place}`)
      if (found !== undefined) return found
    }
  }
  return `${path} ${shown(second)} of ${shown(first)}`
}
