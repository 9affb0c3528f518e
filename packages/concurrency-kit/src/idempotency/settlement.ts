import { isAmbiguousOutcomeError, ResultNotSerializableError } from '../errors.ts'
import type { Codec, FinalErrors } from './codec.ts'
import type { ResultOptions } from './idempotency-options.ts'
import type { Settlement } from './idempotency-store.ts'

/** Runs `handler`, and gives what is to be stored of it; errors that are not final come through as thrown. */
export async function settle<Result>(
  { codec, finalErrors }: { readonly codec: Codec<Result>; readonly finalErrors: FinalErrors | undefined },
  handler: () => Result | PromiseLike<Result>,
): Promise<Settlement> {
  let result: Result
  try {
    result = await handler()
  } catch (error) {
    // Nothing is final that nobody knows.
    if (isAmbiguousOutcomeError(error)) throw error
    const text = finalErrors?.encode(error)
    if (text === undefined) throw error
    return { outcome: 'error', text: textOf('finalErrors.encode', text) }
  }
  return { outcome: 'result', text: textOf('codec.encode', codec.encode(result)) }
}

/** What every caller under the key gets: the decoded result, or the decoded final error as a rejection. */
export function decode<Result>(
  { outcome, text }: Settlement,
  { codec, finalErrors }: { readonly codec: Codec<Result>; readonly finalErrors: ResultOptions<Result>['finalErrors'] },
): Result {
  if (outcome === 'result') return codec.decode(text)
  if (finalErrors === undefined)
    throw new TypeError('the record holds a final error, and finalErrors is not given to decode it')
  throw finalErrors.decode(text)
}

function textOf(encoder: string, text: unknown): string {
  if (typeof text !== 'string')
    throw new ResultNotSerializableError('$', `encoded by ${encoder} to a ${typeof text} instead of a string`)
  // UTF-8 cannot encode lone surrogates, and Postgres refuses NUL: rejected on every store, as in keys.
  if (!text.isWellFormed())
    throw new ResultNotSerializableError('$', `encoded by ${encoder} to text with a lone surrogate`)
  if (text.includes('\0')) throw new ResultNotSerializableError('$', `encoded by ${encoder} to text with a NUL`)
  return text
}
