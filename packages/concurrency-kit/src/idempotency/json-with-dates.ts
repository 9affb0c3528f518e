import { ResultNotSerializableError } from '../errors.ts'
import type { Codec } from './codec.ts'
import { findNonJson } from './json-value.ts'

/** The single property of the object that stands for a date. */
const DATE = '$date'

/**
 * Codec for strict JSON plus dates: a valid `Date` anywhere in the result is read back as an equal `Date`.
 *
 * A date is stored as `{"$date":"2026-11-28T09:00:00.000Z"}`, as in MongoDB's Extended JSON. A result object whose only property is
 * `$date` is stored with the name `$$date`, one with `$$date` as `$$$date`, and so on, so that the two cannot be confused. Any other
 * value that JSON cannot represent is rejected with its path, as without a codec.
 *
 * The types do not check the result: one that contains a `Map` compiles, and is rejected when it is stored.
 *
 * @throws ResultNotSerializableError the result contains something other than JSON and valid dates.
 * @throws TypeError the stored text holds a date that this codec did not write.
 * @example
 * await withIdempotency({ store, key, codec: jsonWithDates }, () => ({ id, paidAt: new Date() }))
 */
// biome-ignore lint/suspicious/noExplicitAny: the handler determines the result's type
export const jsonWithDates: Codec<any> = {
  encode(result: unknown) {
    if (result === undefined) return ''
    const found = findNonJson(result, isValidDate)
    if (found !== undefined) throw new ResultNotSerializableError(found.path, found.what)
    return JSON.stringify(result, function (this: Record<string, unknown>, name: string) {
      // Not the replacer's second argument: `JSON.stringify` has already called `toJSON` on that.
      return stored(this[name])
    })
  },
  decode: (text) => (text === '' ? undefined : JSON.parse(text, (_, value: unknown) => restored(value))),
}

function stored(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (isValidDate(value)) return { [DATE]: value.toISOString() }
  const name = onlyName(value)
  return name === undefined ? value : { [`$${name}`]: Reflect.get(value, name) }
}

function restored(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const name = onlyName(value)
  if (name === undefined) return value
  if (name !== DATE) return { [name.slice(1)]: Reflect.get(value, name) }
  const date = new Date(String(Reflect.get(value, DATE)))
  if (isValidDate(date) && date.toISOString() === Reflect.get(value, DATE)) return date
  throw new TypeError(`the stored text holds a ${DATE} that jsonWithDates did not write`)
}

/** The name of the object's only property, if that is `date` after one or more `$`. */
function onlyName(value: object): string | undefined {
  const names = Object.keys(value).filter((name) => Reflect.get(value, name) !== undefined)
  const [name] = names
  return names.length === 1 && name !== undefined && /^\$+date$/.test(name) ? name : undefined
}

/** False for a subclass of `Date` and for a date with extra properties: they would be lost. */
function isValidDate(value: object): value is Date {
  if (Object.getPrototypeOf(value) !== Date.prototype || Object.keys(value).length > 0) return false
  return value instanceof Date && !Number.isNaN(value.getTime())
}
