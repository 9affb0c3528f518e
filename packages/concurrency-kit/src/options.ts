/** The longest delay that a Node.js timer takes, about 24.8 days: the upper bound of every option in ms. */
const MAX_MS = 2_147_483_647

/** @throws TypeError or RangeError that names the option and what came. */
export function wholeNumber(name: string, value: unknown, min: number, max: number = MAX_MS): number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, but is ${shown(value)}`)
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`${name} must be a whole number from ${min} to ${max}, but is ${shown(value)}`)
  }
  return value
}

export function oneOf<const Choice>(name: string, value: unknown, choices: readonly Choice[]): Choice {
  if (choices.includes(value as Choice)) return value as Choice
  throw new TypeError(`${name} must be one of ${choices.map(shown).join(', ')}, but is ${shown(value)}`)
}

/** Longest text that every store can keep: a Postgres index entry holds at most 2704 bytes, other columns included. */
const MAX_BYTES = 1_024
/** Below this length the byte limit holds anyway: UTF-8 needs at most three bytes per UTF-16 code unit. */
const SURELY_SHORT = Math.floor(MAX_BYTES / 3)

/**
 * A non-empty string that every store can keep: at most 1024 bytes in UTF-8, no lone surrogate, which UTF-8 cannot encode, and no
 * NUL, which Postgres refuses.
 *
 * @param maxCharacters - A lower limit, in UTF-16 code units. @defaultValue none
 */
export function keyText(name: string, value: unknown, maxCharacters?: number): string {
  if (typeof value !== 'string') throw new TypeError(`${name} must be a string, but is ${shown(value)}`)
  if (value === '') throw new RangeError(`${name} must not be empty`)
  if (maxCharacters !== undefined && value.length > maxCharacters) {
    throw new RangeError(`${name} must have at most ${maxCharacters} characters, but has ${value.length}`)
  }
  const bytes = value.length > SURELY_SHORT ? Buffer.byteLength(value) : 0
  if (bytes > MAX_BYTES) throw new RangeError(`${name} must have at most ${MAX_BYTES} bytes as UTF-8, but has ${bytes}`)
  if (value.includes('\0')) throw new RangeError(`${name} must not contain NUL, but is ${shown(value)}`)
  if (!value.isWellFormed()) throw new RangeError(`${name} must not contain a lone surrogate, but is ${shown(value)}`)
  return value
}

export function functionOption(name: string, value: unknown): void {
  if (typeof value !== 'function') throw new TypeError(`${name} must be a function, but is ${shown(value)}`)
}

/** @throws TypeError unless `value` has each of `methods`. */
export function objectWith(name: string, value: unknown, methods: readonly string[]): void {
  if (typeof value !== 'object' || value === null)
    throw new TypeError(`${name} must be an object, but is ${shown(value)}`)
  for (const method of methods) functionOption(`${name}.${method}`, Reflect.get(value, method))
}

export function signalOption(value: unknown): void {
  if (value !== undefined) objectWith('signal', value, ['addEventListener', 'throwIfAborted'])
}

/** A value as an error message shows it: short, and never throwing. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object'
  return String(value)
}

/** Formats an id for an error message; a composite id with the names of its columns. */
export function shownId(id: unknown): string {
  if (typeof id !== 'object' || id === null) return String(id)
  return Object.entries(id)
    .map(([column, value]) => `${column} ${String(value)}`)
    .join(', ')
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : shown(error)
}
