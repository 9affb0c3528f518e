/** A place in a value that JSON cannot carry. */
export interface NotJson {
  /** Such as `$.items[2].price`. */
  readonly path: string
  /** Such as `a BigInt` or `a Date`. */
  readonly what: string
}

/**
 * Finds what would not come back from JSON text as it is.
 *
 * Properties that are `undefined` are taken as absent, and -0 as 0: both are the same to whoever reads them.
 */
export function findNonJson(value: unknown, path = '$', outer: readonly object[] = []): NotJson | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : { path, what: String(value) }
  if (typeof value !== 'object') return { path, what: kindOf(value) }
  if (outer.includes(value)) return { path, what: 'a reference to an object around it' }
  const inside = [...outer, value]
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) {
      const found = findNonJson(value[index], `${path}[${index}]`, inside)
      if (found !== undefined) return found
    }
    return undefined
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return { path, what: `a ${nameOf(value)}` }
  for (const [name, property] of Object.entries(value)) {
    if (property === undefined) continue
    const found = findNonJson(property, `${path}.${name}`, inside)
    if (found !== undefined) return found
  }
  return undefined
}

function kindOf(value: unknown): string {
  if (typeof value === 'bigint') return 'a BigInt'
  return value === undefined ? 'undefined' : `a ${typeof value}`
}

function nameOf(value: object): string {
  const name: unknown = value.constructor?.name
  return typeof name === 'string' && name !== '' && name !== 'Object' ? name : 'class instance'
}

/** `Value` where JSON carries it; `never` for those parts that it does not. */
export type JsonCompatible<Value> = Value extends string | number | boolean | null | undefined
  ? Value
  : Value extends bigint | symbol | ((...args: never[]) => unknown)
    ? never
    : Value extends object
      ? { [Key in keyof Value]: JsonCompatible<Value[Key]> }
      : [Value] extends [void]
        ? Value
        : never
