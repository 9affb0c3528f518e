import { ResultNotSerializableError } from '../errors.ts'
import type { Codec } from './codec.ts'
import { findNonJson } from './json-value.ts'

/** The only name in the object that a date is stored as. */
const DATE = '$date'

/**
 * Strict JSON, and dates: a valid `Date` comes back as an equal one, wherever it is in the result.
 *
 * A date is stored as `{"$date":"2026-11-28T09:00:00.000Z"}`, as in MongoDB's Extended JSON. An object of the result that has
 * `$date` as its only name is stored under `$$date`, one with `$$date` under `$$$date` and so on, so that neither is ever taken
 * for the other. All else is as without a codec: what JSON does not carry is refused, with its path.
 *
 * The types do not check what is in the result: a `Map` in it compiles, and is refused when it is stored.
 *
 * @throws ResultNotSerializableError the result holds something else than JSON and valid dates.
 * @throws TypeError the stored text holds a date that this codec did not write.
 * @example
 * await withIdempotency({ store, key, codec: jsonWithDates }, () => ({ id, paidAt: new Date() }))
 */
// biome-ignore lint/suspicious/noExplicitAny: the result's own type is that of the handler
export const jsonWithDates: Codec<any> = {
  encode(result: unknown) {
    if (result === undefined) return ''
    const found = findNonJson(result, isValidDate)
    if (found !== undefined) throw new ResultNotSerializableError(found.path, found.what)
    return JSON.stringify(result, function (this: Record<string, unknown>, name: string) {
      // The date itself: `JSON.stringify` has called its `toJSON` before.
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

/** The name of an object's only property, where it is `$date` with any number of `$` more. */
function onlyName(value: object): string | undefined {
  const names = Object.keys(value).filter((name) => Reflect.get(value, name) !== undefined)
  const [name] = names
  return names.length === 1 && name !== undefined && /^\$+date$/.test(name) ? name : undefined
}

/** A subclass of `Date`, or properties of its own, would be lost. */
function isValidDate(value: object): value is Date {
  if (Object.getPrototypeOf(value) !== Date.prototype || Object.keys(value).length > 0) return false
  return value instanceof Date && !Number.isNaN(value.getTime())
}
