import type { Codec } from '../../../src/idempotency/codec.ts'
import type { LeasedOptions } from '../../../src/idempotency/idempotency-options.ts'
import type {
  LeasedIdempotencyStore,
  TransactionalIdempotencyStore,
} from '../../../src/idempotency/idempotency-store.ts'
import type { Environment } from '../../../src/time/clock.ts'

export const TRANSACTIONAL = ['knex SQLite', 'knex Postgres', 'pg', 'pg, groupCommit'] as const
const LEASED = ['memory', 'ioredis', 'knex SQLite, leased', 'knex Postgres, leased'] as const
export const RECORD_STORES = [...LEASED, ...TRANSACTIONAL] as const

export type RecordStoreName = (typeof RECORD_STORES)[number]

/** A client of the store's own, as another process has it. */
export interface Opened {
  readonly store: TransactionalIdempotencyStore<never> | LeasedIdempotencyStore
  /** Through a handler's transaction. */
  sql?(transaction: never, statement: string): Promise<unknown>
  /** The same store, for which `between` happens after its first statement; of those that take several for a step. */
  interrupted?(between: () => Promise<unknown>): LeasedIdempotencyStore
  close(): Promise<unknown>
}

export interface Call {
  readonly key?: string
  readonly scope?: string
  readonly payload?: unknown
  readonly waitMs?: number
  readonly retentionMs?: number
  readonly leaseMs?: number
  readonly onAmbiguous?: LeasedOptions<unknown>['onAmbiguous']
  readonly hadNoEffect?: (error: unknown) => boolean
  readonly codec?: Codec<unknown>
}

export interface Work {
  /** Charges: in the handler's transaction, or elsewhere. */
  effect(): Promise<void>
  /** From now on the record of this run cannot be completed. */
  spoil(): Promise<void>
}

/** A process that runs handlers, under the key of the test unless the call has another. */
export interface Process {
  readonly store: Opened['store']
  readonly interrupted: Opened['interrupted']
  run(call: Call, handler: (work: Work) => unknown): Promise<unknown>
}

export interface Stage {
  readonly key: string
  readonly one: Process
  readonly two: Process
  /** One more; `environment` is what it takes for the time, `port` where it finds the server. */
  open(how?: { readonly environment?: Environment; readonly port?: number }): Promise<Process>
  /** How many effects stand. */
  effects(): Promise<number>
  readonly leased: boolean
  /** Of its server. */
  readonly port: number
}

/** A fault that other libraries have, by its number in docs/pitfalls.md. */
export interface RecordPitfall {
  readonly number: string
  readonly title: string
  /** The stores on which it cannot happen, and why. */
  readonly not?: Partial<Record<RecordStoreName, string>>
  readonly prove: (stage: Stage) => Promise<void>
}

/** The reason why a fault cannot happen on the given stores. */
export function notOn(stores: readonly RecordStoreName[], reason: string): Partial<Record<RecordStoreName, string>> {
  return Object.fromEntries(stores.map((store) => [store, reason]))
}
