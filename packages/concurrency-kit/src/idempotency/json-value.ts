/** A place in a value that JSON cannot carry. */
export interface NotJson {
  /** Such as `$.items[2].price`. */
  readonly path: string
  /** Such as `a BigInt` or `a Date`. */
  readonly what: string
}

/** Deepest nesting of arrays and objects: much deeper values overflow the stack in `JSON.stringify`. */
const MOST_LEVELS = 1_000

/** Longest path in an error, in characters. */
const MOST_PATH = 200

/**
 * Finds the first part of `value` that JSON would change; `undefined` if there is none.
 *
 * Properties that are `undefined` or not enumerable count as absent, -0 as 0, a getter as its value, and an object without a
 * prototype as an ordinary one. Values may be nested 1000 levels deep.
 *
 * @param isCarried - For a codec that supports more than JSON: whether it supports this object.
 */
export function findNonJson(value: unknown, isCarried?: (value: object) => boolean): NotJson | undefined {
  const search = new Search(isCarried)
  const what = search.whatIsWrong(value)
  return what === undefined ? undefined : { path: search.path, what }
}

/** One walk through a value, in time proportional to its size. */
class Search {
  readonly #isCarried: ((value: object) => boolean) | undefined
  /** Path from the outermost value to the current one, and finally to the part that was found. */
  readonly #steps: (string | number)[] = []
  readonly #around = new Set<object>()

  constructor(isCarried: ((value: object) => boolean) | undefined) {
    this.#isCarried = isCarried
  }

  get path(): string {
    const path = `$${this.#steps.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('')}`
    return path.length > MOST_PATH ? `${path.slice(0, MOST_PATH)}…` : path
  }

  whatIsWrong(value: unknown): string | undefined {
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined
    if (typeof value === 'number') return Number.isFinite(value) ? undefined : String(value)
    if (typeof value !== 'object') return kindOf(value)
    if (this.#isCarried?.(value)) return undefined
    if (this.#around.has(value)) return 'a circular reference'
    if (this.#around.size === MOST_LEVELS) return `nested more than ${MOST_LEVELS} levels deep`
    this.#around.add(value)
    const what = Array.isArray(value) ? this.#inArray(value) : this.#inObject(value as Record<string, unknown>)
    this.#around.delete(value)
    return what
  }

  #inArray(array: readonly unknown[]): string | undefined {
    // In every realm the prototype of an array is an array itself; the prototype of a subclass is not.
    if (!Array.isArray(Object.getPrototypeOf(array))) return `a ${nameOf(array)}`
    const changed = changedByJson(array)
    if (changed !== undefined) return changed
    for (let index = 0; index < array.length; index += 1) {
      this.#steps.push(index)
      const item = array[index]
      const what = item === undefined && !Object.hasOwn(array, index) ? 'a hole' : this.whatIsWrong(item)
      if (what !== undefined) return what
      this.#steps.pop()
    }
    // There are no holes, so a name after the indices is a named property.
    const name = Object.keys(array)[array.length]
    if (name === undefined) return undefined
    this.#steps.push(name)
    return 'a named property of an array'
  }

  #inObject(object: Readonly<Record<string, unknown>>): string | undefined {
    const prototype: unknown = Object.getPrototypeOf(object)
    if (prototype !== Object.prototype && prototype !== null) return `a ${nameOf(object)}`
    const changed = changedByJson(object)
    if (changed !== undefined) return changed
    for (const name of Object.keys(object)) {
      const property = object[name]
      if (property === undefined) continue
      this.#steps.push(name)
      const what = this.whatIsWrong(property)
      if (what !== undefined) return what
      this.#steps.pop()
    }
    return undefined
  }
}

/** Names what `JSON.stringify` would replace or silently leave out. */
function changedByJson(object: object): string | undefined {
  if (typeof (object as { readonly toJSON?: unknown }).toJSON === 'function') return 'an object with a toJSON method'
  for (const symbol of Object.getOwnPropertySymbols(object)) {
    if (Object.prototype.propertyIsEnumerable.call(object, symbol))
      return `an object with a property named ${String(symbol)}`
  }
  return undefined
}

function kindOf(value: unknown): string {
  if (typeof value === 'bigint') return 'a BigInt'
  return value === undefined ? 'undefined' : `a ${typeof value}`
}

/** The name of the object's class, for errors. */
export function nameOf(value: object): string {
  if (value instanceof Date && Number.isNaN(value.getTime())) return 'Date that is invalid'
  const name: unknown = value.constructor?.name
  return typeof name === 'string' && name !== '' && name !== 'Object' ? name : 'class instance'
}

type Json = string | number | boolean | null | undefined | readonly Json[] | { readonly [name: string]: Json }

/**
 * `Value` if JSON can represent it; parts that JSON cannot represent become `never`.
 *
 * `unknown` passes at any depth, and its value is checked when it is stored. A type that is JSON as a whole is not mapped: a
 * recursive type would never end.
 */
export type JsonCompatible<Value> = unknown extends Value
  ? Value
  : Value extends Json
    ? Value
    : Value extends bigint | symbol | ((...args: never[]) => unknown)
      ? never
      : Value extends object
        ? { [Key in keyof Value]: JsonCompatible<Value[Key]> }
        : [Value] extends [void]
          ? Value
          : never
