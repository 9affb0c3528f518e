import { BIND } from './nested-call.ts'
import { shown, shownId } from './options.ts'

/** Found on every error of the kit, whichever copy of the package made it: `instanceof` does not survive two copies. */
const brand: unique symbol = Symbol.for('concurrency-kit.error') as never

abstract class ConcurrencyKitError extends Error {
  abstract override readonly name: string
  /** Stable over releases; safe to compare and to log. */
  abstract readonly code: string
  /** @internal */
  get [brand](): string {
    return this.code
  }
}

function guard<Kind extends ConcurrencyKitError>(code: Kind['code']): (error: unknown) => error is Kind {
  return (error): error is Kind => typeof error === 'object' && error !== null && Reflect.get(error, brand) === code
}

/** The key was held by others for as long as the caller would wait. The section did not run. */
export class LockUnavailableError extends ConcurrencyKitError {
  override readonly name = 'LockUnavailableError'
  override readonly code = 'LOCK_UNAVAILABLE'
  readonly key: string
  /** How long the caller waited, in ms. */
  readonly waitedMs: number
  /** @param options.noLock - What the key holds if that is not a lock, such as `a list`. */
  constructor(
    key: string,
    waitedMs: number,
    options?: ErrorOptions & { nested?: boolean; noLock?: string | undefined },
  ) {
    const lock = `lock ${JSON.stringify(key)}`
    const ms = `${Math.round(waitedMs)} ms`
    const nested = options?.nested === true ? `: this asynchronous context already holds it; ${BIND}` : ''
    super(
      options?.noLock === undefined
        ? `${lock} was not free within ${ms}${nested}`
        : `${lock} cannot be acquired: after ${ms} its key still holds a value that is not a lock: ${options.noLock}`,
      options,
    )
    this.key = key
    this.waitedMs = waitedMs
  }
}
export const isLockUnavailableError = guard<LockUnavailableError>('LOCK_UNAVAILABLE')

/** What is known of a section when its lease was lost. */
export type SectionOutcome = { readonly status: 'pending' } | { readonly status: 'fulfilled'; readonly value: unknown }

/** The lease could no longer be trusted. What the section did until then, and after, may stand. */
export class LeaseLostError extends ConcurrencyKitError {
  override readonly name = 'LeaseLostError'
  override readonly code = 'LEASE_LOST'
  readonly key: string
  /** `pending` where it is the reason of `lease.signal`; the section's result where the call rejects with it. */
  readonly outcome: SectionOutcome
  constructor(key: string, why: string, options?: ErrorOptions & { outcome?: SectionOutcome }) {
    super(`lease on ${JSON.stringify(key)} was lost: ${why}`, options)
    this.key = key
    this.outcome = options?.outcome ?? { status: 'pending' }
  }
}
export const isLeaseLostError = guard<LeaseLostError>('LEASE_LOST')

/**
 * The same asynchronous context already holds this key: a nested call would deadlock. The section did not run.
 *
 * Another caller's job that was started in this context looks the same. Bind the job with `AsyncResource.bind`, or let it wait
 * with `reentrance: 'wait'`.
 */
export class ReentrantLockError extends ConcurrencyKitError {
  override readonly name = 'ReentrantLockError'
  override readonly code = 'REENTRANT_LOCK'
  readonly key: string
  constructor(key: string) {
    super(
      `lock ${JSON.stringify(key)} is already held by this asynchronous context: a nested call would deadlock; ` +
        `${BIND}, or pass reentrance: 'wait'`,
    )
    this.key = key
  }
}
export const isReentrantLockError = guard<ReentrantLockError>('REENTRANT_LOCK')

/** Another call runs under this idempotency key and did not end in time. This call's handler did not run. */
export class IdempotencyInProgressError extends ConcurrencyKitError {
  override readonly name = 'IdempotencyInProgressError'
  override readonly code = 'IDEMPOTENCY_IN_PROGRESS'
  readonly key: string
  constructor(key: string, why: string, options?: ErrorOptions) {
    super(`idempotency key ${JSON.stringify(key)} is in progress: ${why}`, options)
    this.key = key
  }
}
export const isIdempotencyInProgressError = guard<IdempotencyInProgressError>('IDEMPOTENCY_IN_PROGRESS')

/** The idempotency key was used before with another payload. Nothing ran. */
export class FingerprintMismatchError extends ConcurrencyKitError {
  override readonly name = 'FingerprintMismatchError'
  override readonly code = 'FINGERPRINT_MISMATCH'
  readonly key: string
  constructor(key: string) {
    super(`idempotency key ${JSON.stringify(key)} was used with another payload`)
    this.key = key
  }
}
export const isFingerprintMismatchError = guard<FingerprintMismatchError>('FINGERPRINT_MISMATCH')

/** It is not known, and cannot be found out from the store, whether the effect happened. */
export class AmbiguousOutcomeError extends ConcurrencyKitError {
  override readonly name = 'AmbiguousOutcomeError'
  override readonly code = 'AMBIGUOUS_OUTCOME'
  readonly key: string
  constructor(key: string, why: string, options?: ErrorOptions) {
    super(`outcome under idempotency key ${JSON.stringify(key)} is unknown: ${why}`, options)
    this.key = key
  }
}
export const isAmbiguousOutcomeError = guard<AmbiguousOutcomeError>('AMBIGUOUS_OUTCOME')

/**
 * A handler on a leased store throws this to state that its effect did not happen and will not happen later. The key is then free
 * for the next call. The call rejects with this error; `cause` can carry the reason, such as a provider's answer.
 *
 * A transactional store does not need it: when a handler throws there, its effects are rolled back.
 *
 * @example
 * if (response.status === 422) throw new NoEffectError('the provider refused', { cause: await response.json() })
 */
export class NoEffectError extends ConcurrencyKitError {
  override readonly name = 'NoEffectError'
  override readonly code = 'NO_EFFECT'
}
export const isNoEffectError = guard<NoEffectError>('NO_EFFECT')

/** The handler's result would not come back from the record as it is. The attempt was rolled back; on a leased store its effect stands, and the key is ambiguous. */
export class ResultNotSerializableError extends ConcurrencyKitError {
  override readonly name = 'ResultNotSerializableError'
  override readonly code = 'RESULT_NOT_SERIALIZABLE'
  /** Where the offending value is, such as `$.items[2].price`. */
  readonly path: string
  constructor(path: string, what: string, options?: ErrorOptions) {
    super(`result cannot be stored: ${path} is ${what}`, options)
    this.path = path
  }
}
export const isResultNotSerializableError = guard<ResultNotSerializableError>('RESULT_NOT_SERIALIZABLE')

/** Every attempt met a newer version than it had read. Nothing was written. */
export class VersionConflictError extends ConcurrencyKitError {
  override readonly name = 'VersionConflictError'
  override readonly code = 'VERSION_CONFLICT'
  readonly id: unknown
  readonly expectedVersion: unknown
  /** The version found after the last attempt. */
  readonly actualVersion: unknown
  readonly attempts: number
  constructor(id: unknown, expectedVersion: unknown, actualVersion: unknown, attempts: number) {
    super(
      expectedVersion === actualVersion
        ? `row ${shownId(id)} was not written in ${attempts} attempts, although it still has the expected version ${shown(actualVersion)}: a trigger, rule or policy may suppress the write`
        : `row ${shownId(id)} changed during the update: expected version ${shown(expectedVersion)}, found ${shown(actualVersion)}, after ${attempts} attempts`,
    )
    this.id = id
    this.expectedVersion = expectedVersion
    this.actualVersion = actualVersion
    this.attempts = attempts
  }
}
export const isVersionConflictError = guard<VersionConflictError>('VERSION_CONFLICT')

/** There is no such row: it has gone since it was read, or the call found none. Nothing was written. */
export class RowNotFoundError extends ConcurrencyKitError {
  override readonly name = 'RowNotFoundError'
  override readonly code = 'ROW_NOT_FOUND'
  readonly id: unknown
  /** The version that this call had read; undefined where it never found a row. */
  readonly expectedVersion: unknown
  constructor(id: unknown, expectedVersion?: unknown) {
    super(
      expectedVersion === undefined
        ? `no row ${shownId(id)}`
        : `row ${shownId(id)} no longer exists; it was read at version ${shown(expectedVersion)}`,
    )
    this.id = id
    this.expectedVersion = expectedVersion
  }
}
export const isRowNotFoundError = guard<RowNotFoundError>('ROW_NOT_FOUND')

/** The transaction was rolled back and rerun as often as allowed, and never got through. Nothing happened. */
export class TransactionRetriesError extends ConcurrencyKitError {
  override readonly name = 'TransactionRetriesError'
  override readonly code = 'TRANSACTION_RETRIES'
  readonly attempts: number
  /** `cause` is what the last attempt failed with. */
  constructor(attempts: number, options: ErrorOptions) {
    super(`transaction was rolled back ${attempts} times`, options)
    this.attempts = attempts
  }
}
export const isTransactionRetriesError = guard<TransactionRetriesError>('TRANSACTION_RETRIES')

/** The store did not do what it was asked: not reachable, too late, closed, or refusing. `cause` says why. */
export class StoreError extends ConcurrencyKitError {
  override readonly name = 'StoreError'
  override readonly code = 'STORE_ERROR'
  /** True when the command certainly did nothing and may succeed if repeated: busy, deadlock, serialization failure. */
  readonly transient: boolean
  constructor(what: string, options?: ErrorOptions & { transient?: boolean }) {
    super(what, options)
    this.transient = options?.transient ?? false
  }
}
export const isStoreError = guard<StoreError>('STORE_ERROR')
