import type { Signal } from '../abort.ts'
import { functionOption, keyText, objectWith, oneOf, shown, signalOption, wholeNumber } from '../options.ts'
import type { Codec, FinalErrors } from './codec.ts'
import { jsonCodec } from './codec.ts'
import { fingerprintOf } from './fingerprint.ts'
import type { LeasedIdempotencyStore, RecordKey, TransactionalIdempotencyStore } from './idempotency-store.ts'

/** What names a request and finds its record; the same object serves `findReplay` and `withIdempotency`. */
export interface RequestOptions {
  /** The idempotency key, chosen by the client: 1 to 255 characters, no NUL, no lone surrogate. */
  readonly key: string
  /** Whose key it is, such as a tenant: keys of different scopes never meet. At most 255 characters. @defaultValue none */
  readonly scope?: string
  /** The request's content: JSON, nested at most 1000 levels deep. A key is valid for one payload only. @defaultValue null */
  readonly payload?: unknown
  readonly signal?: Signal | undefined
}

export interface ResultOptions<Result> {
  /** How the result is stored as text. @defaultValue strict JSON */
  readonly codec?: Codec<Result>
  /** Which errors of the handler are stored and replayed. @defaultValue none */
  readonly finalErrors?: FinalErrors
}

export interface RunOptions<Result> extends RequestOptions, ResultOptions<NoInfer<Result>> {
  /** Longest wait in ms for another run under the key, integer >= 0. @defaultValue 5_000 */
  readonly waitMs?: number
  /** How long the record is replayed, in ms, integer from 1 to 3_155_760_000_000 (100 years). @defaultValue 86_400_000 (24 h) */
  readonly retentionMs?: number
  /**
   * What to do if the call's asynchronous context already runs the key: `'refuse'` rejects at once with
   * `IdempotencyInProgressError`, `'wait'` joins the run like any other caller.
   *
   * A nested call would deadlock. Another caller's job that a shared queue or an event emitter started in this context would
   * not, but it looks the same. `AsyncResource.bind` binds such a job to its own caller. @defaultValue 'refuse'
   */
  readonly reentrance?: 'refuse' | 'wait'
  /** Called before the call resolves with a stored result. `joined`: of a run in this process. */
  readonly onReplay?: (replay: { readonly joined: boolean }) => void
}

export interface TransactionalOptions<Transaction, Result> extends RunOptions<Result> {
  readonly store: TransactionalIdempotencyStore<Transaction>
  /** How often the whole attempt may be rerun after a failure that passes, integer from 1 to 1_000. @defaultValue 10 */
  readonly maxAttempts?: number
}

/** Finds out from elsewhere what became of a run whose owner vanished. */
export type Probe<Result> = (request: {
  readonly key: string
  readonly scope: string
  readonly signal: Signal | undefined
}) => Promise<{ readonly found: true; readonly result: Result } | { readonly found: false }>

export interface LeasedOptions<Result> extends RunOptions<Result> {
  readonly store: LeasedIdempotencyStore
  /**
   * What to do with a key whose owner vanished or threw, perhaps after the effect: `rerun` (at least once), `refuse` with
   * `AmbiguousOutcomeError` (at most once), or a probe that finds out. {@link LeasedOptions.hadNoEffect} decides which errors
   * free the key instead.
   */
  readonly onAmbiguous: 'rerun' | 'refuse' | Probe<Result>
  /**
   * Returns whether an error of the handler means that its effect did not happen and will not happen later. `true` frees the key;
   * any other value, including a promise, leaves it ambiguous.
   *
   * Not called for a `NoEffectError`, which always frees the key. Not called for an `AmbiguousOutcomeError` or the reason of the
   * handler's own aborted `signal`, which never free it. If `hadNoEffect` throws, the key is ambiguous, and the call rejects with
   * the error that it threw.
   *
   * @defaultValue no error for `refuse` and for a probe; every error for `rerun`
   */
  readonly hadNoEffect?: (error: unknown) => boolean
  /** How long an owner that went silent counts as alive, in ms, integer from 1 to 2_147_483_647; renewed while it runs. @defaultValue 30_000 */
  readonly leaseMs?: number
}

/** SQLite's dates end with the year 9999, those of Postgres with 294276: this limit is the same on every store, far below both. */
const HUNDRED_YEARS_MS = 36_525 * 86_400_000

export interface CheckedRequest extends RecordKey {
  readonly fingerprint: string
  readonly payload: unknown
  readonly signal: Signal | undefined
}

export function checkRequest(options: RequestOptions & { readonly store: unknown }): CheckedRequest {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`options must be an object, but is ${shown(options)}`)
  const { key, scope, payload, signal } = options
  signalOption(signal)
  objectWith('store', options.store, ['find', 'purge'])
  oneOf('store.kind', Reflect.get(options.store as object, 'kind'), ['transactional', 'leased'])
  return {
    key: keyText('key', key, 255),
    scope: scope === undefined ? '' : keyText('scope', scope, 255),
    payload,
    fingerprint: fingerprintOf(payload),
    signal,
  }
}

export interface CheckedRun<Result> extends CheckedRequest {
  readonly codec: Codec<Result>
  readonly finalErrors: FinalErrors | undefined
  readonly waitMs: number
  readonly retentionMs: number
  readonly onReplay: RunOptions<Result>['onReplay']
  readonly reentrance: 'refuse' | 'wait'
}

export function checkRun<Result>(options: RunOptions<Result> & { readonly store: unknown }): CheckedRun<Result> {
  const request = checkRequest(options)
  const { finalErrors, waitMs = 5_000, retentionMs = 86_400_000, onReplay, reentrance = 'refuse' } = options
  if (finalErrors !== undefined) objectWith('finalErrors', finalErrors, ['encode', 'decode'])
  if (onReplay !== undefined) functionOption('onReplay', onReplay)
  return {
    ...request,
    codec: checkCodec(options.codec),
    finalErrors,
    waitMs: wholeNumber('waitMs', waitMs, 0),
    retentionMs: wholeNumber('retentionMs', retentionMs, 1, HUNDRED_YEARS_MS),
    onReplay,
    reentrance: oneOf('reentrance', reentrance, ['refuse', 'wait']),
  }
}

export function checkCodec<Result>(codec: Codec<Result> | undefined): Codec<Result> {
  if (codec === undefined) return jsonCodec as Codec<Result>
  objectWith('codec', codec, ['encode', 'decode'])
  return codec
}
