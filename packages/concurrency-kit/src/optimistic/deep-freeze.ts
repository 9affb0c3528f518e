/** Freezes `value` and all that it holds; typed arrays and the like, which cannot be frozen, are left as they are. */
export function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value
  Object.freeze(value)
  for (const property of Object.values(value)) deepFreeze(property)
  return value
}

/** Whether something in `value`, a structured clone, can be written to once it is frozen: what is no plain object or array. */
export function staysWritable(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return !isPlain(value) || Object.values(value).some(staysWritable)
}

/** A plain object or an array. */
export function isPlain(value: unknown): value is Record<string, unknown> {
  const prototype = typeof value === 'object' && value !== null ? Object.getPrototypeOf(value) : undefined
  return prototype === Object.prototype || prototype === Array.prototype
}
