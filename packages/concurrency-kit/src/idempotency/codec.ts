import { ResultNotSerializableError } from '../errors.ts'
import { findNonJson } from './json-value.ts'

/** How a result becomes the text of a record, and comes back. */
export interface Codec<Result> {
  /** The text must not contain NUL or lone surrogates: not every store can keep them. */
  encode(result: Result): string
  decode(text: string): Result
}

/** Which of the handler's errors are stored and replayed like a result; all others leave no trace. */
export interface FinalErrors {
  /** Text to store for `error`, or `undefined` when it is not final. */
  encode(error: unknown): string | undefined
  /** The error that callers get, the first one too. */
  decode(text: string): unknown
}

/** JSON, strict: what would not come back is refused, with its path. No result at all is the empty text. */
export const jsonCodec: Codec<unknown> = {
  encode(result) {
    if (result === undefined) return ''
    const found = findNonJson(result)
    if (found !== undefined) throw new ResultNotSerializableError(found.path, found.what)
    return JSON.stringify(result)
  },
  decode: (text) => (text === '' ? undefined : JSON.parse(text)),
}
