import { types } from 'node:util'
import { findNonJson, type NotJson, nameOf } from '../idempotency/json-value.ts'

/**
 * Finds the first part of a value that a store cannot give back unchanged: `undefined`, `NaN` and infinities, functions, symbols,
 * lone surrogates, and objects that are not plain objects, arrays, or of a built-in kind that it `keeps`.
 */
export function findUnstorable(value: unknown, keeps: (value: object) => boolean, path = '$'): NotJson | undefined {
  return find(value, (part) => unstorable(part, keeps), path)
}

/** Whether something in `value` may hide what it holds, as an instance of a class with private fields does: two of them look the same. */
export function mayHide(value: unknown, shows: (value: object) => boolean): boolean {
  const hides = (part: unknown) =>
    typeof part === 'object' && part !== null && !isPlain(part) && !shows(part) ? 'hidden' : undefined
  return find(value, hides, '$') !== undefined
}

/** The first part of `value`, or `value` itself, that `whatOf` has a word for. */
function find(value: unknown, whatOf: (part: unknown) => string | undefined, path: string): NotJson | undefined {
  const first = whatOf(value)
  if (first !== undefined) return { path, what: first }
  if (typeof value !== 'object') return undefined
  const seen = new Set<object>()
  const open: [path: string, value: unknown][] = [[path, value]]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [place, part] = next
    const what = whatOf(part)
    if (what !== undefined) return { path: place, what }
    if (typeof part !== 'object' || part === null || seen.has(part)) continue
    seen.add(part)
    for (const inside of partsOf(part, place).reverse()) open.push(inside)
  }
  return undefined
}

/** {@link findUnstorable} for a value that is stored as JSON text. */
export function findUnstorableJson(value: unknown, path = '$'): NotJson | undefined {
  const found = findUnstorable(value, () => false, path)
  if (found !== undefined) return found
  const notJson = findNonJson(value)
  return notJson && { path: path + notJson.path.slice(1), what: notJson.what }
}

/** @throws TypeError if something was found, with its path. */
export function refuse(found: NotJson | undefined): void {
  if (found !== undefined) throw new TypeError(`value cannot be stored: ${found.path} is ${found.what}`)
}

function unstorable(value: unknown, keeps: (value: object) => boolean): string | undefined {
  if (value === undefined) return 'undefined'
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : String(value)
  if (typeof value === 'string') return value.isWellFormed() ? undefined : 'text with a lone surrogate'
  if (typeof value === 'function' || typeof value === 'symbol') return `a ${typeof value}`
  if (typeof value !== 'object' || value === null) return undefined
  if (types.isDate(value) && Number.isNaN(value.getTime())) return 'an invalid Date'
  return isPlain(value) || keeps(value) ? undefined : `a ${nameOf(value)}`
}

/** A plain object or array of any realm: test runners use their own. */
function isPlain(value: object): boolean {
  return prototypesOf(value) <= (Array.isArray(value) ? 2 : 1)
}

/** Length of the prototype chain: 1 for a plain object, 2 for an array or a `Date`, more for instances of their subclasses. */
export function prototypesOf(value: object): number {
  let count = 0
  for (let at = Object.getPrototypeOf(value); at !== null; at = Object.getPrototypeOf(at)) count += 1
  return count
}

function partsOf(value: object, path: string): [string, unknown][] {
  if (Array.isArray(value)) return Array.from(value, (part, index) => [`${path}[${index}]`, part])
  if (types.isMap(value)) return [...value.keys(), ...value.values()].map((part) => [`${path}.(entry)`, part])
  if (types.isSet(value)) return Array.from(value, (part) => [`${path}.(entry)`, part])
  return isPlain(value) ? Object.entries(value).map(([name, part]) => [`${path}.${name}`, part]) : []
}
