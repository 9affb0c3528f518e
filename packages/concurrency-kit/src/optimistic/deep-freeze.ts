/** Freezes `value` and all that it holds; typed arrays and the like, which cannot be frozen, are left as they are. */
export function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value
  Object.freeze(value)
  for (const property of Object.values(value)) deepFreeze(property)
  return value
}
