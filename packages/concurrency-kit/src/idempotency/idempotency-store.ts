import type { Signal } from '../abort.ts'
import type { Environment } from '../time/clock.ts'

/** Names one record. */
export interface RecordKey {
  /** Whose key it is, such as a tenant; the empty string when the caller gave none. */
  readonly scope: string
  readonly key: string
}

/** What a handler came to, as stored: its encoded result, or an error that the caller calls final. */
export interface Settlement {
  readonly outcome: 'result' | 'error'
  /** Contains neither NUL nor lone surrogates. */
  readonly text: string
}

/** A completed, unexpired record. */
export interface CompletedRecord extends Settlement {
  readonly fingerprint: string
}

export interface FindRequest extends RecordKey {
  readonly signal?: Signal | undefined
}

interface IdempotencyStore {
  /** Short name for errors and events, such as `memory`. */
  readonly name: string
  readonly environment?: Environment
  /** The completed record, without waiting for anything; `undefined` when absent, expired or in progress. */
  find(request: FindRequest): Promise<CompletedRecord | undefined>
  /** Deletes at most `limit` expired records, and says how many it found: fewer than `limit` means that none is left. */
  purge(request: { readonly limit: number }): Promise<number>
}

export interface AttemptRequest extends RecordKey {
  readonly fingerprint: string
  /** The caller's payload as it came, for stores that fill columns from it. */
  readonly payload: unknown
  /** How long the record is kept, in ms, from the store's own clock. */
  readonly retentionMs: number
  /** Longest wait in ms for a rival that claims the same key; 0 does not wait. */
  readonly waitMs: number
  /** Whether a settlement with `outcome: 'error'` can come: then the handler's effects must be undone apart from the record. */
  readonly finalErrors: boolean
  /** The store may let this attempt share a transaction with others of this process; not so a second one. */
  readonly mayShare: boolean
  readonly signal?: Signal | undefined
}

export type AttemptResult =
  /** The handler ran, and its effects and the record are committed. */
  | { readonly status: 'completed' }
  /** The record was there; the handler did not run. */
  | { readonly status: 'replay'; readonly record: CompletedRecord }
  /** A rival's claim outlasted `waitMs`; nothing happened. */
  | { readonly status: 'in_progress' }
  /** The store has no room to begin now, such as a database file that another process writes; nothing happened. */
  | { readonly status: 'busy'; readonly cause: unknown }
  /**
   * Rolled back for a reason that passes (serialization failure, deadlock, stale snapshot): nothing happened.
   * With `ambiguous`, the COMMIT itself was not answered: the next attempt finds out by its claim.
   */
  | { readonly status: 'retry'; readonly cause: unknown; readonly ambiguous?: boolean }

/**
 * The port of a store whose records and effects commit together.
 *
 * `idempotencyStoreContract` of `concurrency-kit/testing` is the proof of an implementation.
 */
export interface TransactionalIdempotencyStore<Transaction> extends IdempotencyStore {
  readonly kind: 'transactional'
  /**
   * One attempt to run `handler` under the key: claim, handler, settlement as the last statement, commit.
   *
   * Rejects with what `handler` rejected with, rolled back, unless one of the transaction's own statements failed for a
   * reason that passes: then it is a `retry`. Rejects with `StoreError` when the store fails.
   */
  attempt(request: AttemptRequest, handler: (transaction: Transaction) => Promise<Settlement>): Promise<AttemptResult>
}

export interface ClaimRequest extends RecordKey {
  readonly fingerprint: string
  readonly payload: unknown
  /** Unguessable, one per claim. Claiming again as the same owner answers `claimed` again. */
  readonly owner: string
  /** Ms until the claim counts as abandoned unless renewed. */
  readonly leaseMs: number
  readonly retentionMs: number
  /** Whether a claim whose owner vanished may be taken over, in the same step. */
  readonly takeOver: boolean
  readonly signal?: Signal | undefined
}

export type ClaimResult =
  /** `attempt` counts the claims of this record, from 1; above 1 a former owner vanished. */
  | { readonly status: 'claimed'; readonly attempt: number }
  | { readonly status: 'in_progress'; readonly fingerprint: string; readonly freeInMs?: number }
  /** In progress, but its owner's lease is over, and `takeOver` was false. */
  | { readonly status: 'vanished'; readonly fingerprint: string }
  | { readonly status: 'completed'; readonly record: CompletedRecord }

export interface OwnedRequest extends RecordKey {
  readonly owner: string
  readonly signal?: Signal | undefined
}

/** A request by the owner of a claim; each answers false when the claim is no longer the owner's. */
export interface LeasedIdempotencyStore extends IdempotencyStore {
  readonly kind: 'leased'
  /** Claims an absent or expired record; a fingerprint other than the record's never takes it over. */
  claim(request: ClaimRequest): Promise<ClaimResult>
  renew(request: OwnedRequest & { readonly leaseMs: number }): Promise<boolean>
  /** Completing again as the same owner answers true again: a reply may have been lost. */
  complete(request: OwnedRequest & Settlement & { readonly retentionMs: number }): Promise<boolean>
  /** Deletes the claim: the handler failed, and the next call may run. */
  abandon(request: OwnedRequest): Promise<boolean>
}
