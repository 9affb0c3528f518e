import { randomUUID } from 'node:crypto'
import { type Codec, jsonCodec } from '../../idempotency/codec.ts'
import { findReplay } from '../../idempotency/find-replay.ts'
import type { LeasedIdempotencyStore, TransactionalIdempotencyStore } from '../../idempotency/idempotency-store.ts'
import { withIdempotency } from '../../idempotency/with-idempotency.ts'

export interface Effects<Transaction> {
  /** Writes a mark through `transaction`. */
  add(transaction: Transaction): Promise<void>
  /** Counts the committed marks. */
  count(): Promise<number>
}

export interface OpenLeasedStore {
  readonly store: LeasedIdempotencyStore
  /**
   * Another store object on the same back end, as in another process: it has its own client and shares no memory with `store`. If
   * the store keeps its records in the object, `rival` forwards every verb to `store`.
   */
  readonly rival: LeasedIdempotencyStore
  /** Ends what `open` made. */
  close(): Promise<void>
}

export interface OpenTransactionalStore<Transaction> {
  readonly store: TransactionalIdempotencyStore<Transaction>
  /** Another store object on the same back end, as in another process: it has its own client. */
  readonly rival: TransactionalIdempotencyStore<Transaction>
  /** Lets the suite check that effect and record commit or roll back together. */
  readonly effects: Effects<Transaction>
  /** Ends what `open` made. */
  close(): Promise<void>
}

export type OpenIdempotencyStore<Transaction> = OpenLeasedStore | OpenTransactionalStore<Transaction>

/** Abilities of an idempotency store. Tests of a missing ability or of the other kind are skipped. */
export interface IdempotencyStoreAbilities {
  /** Must equal the store's `kind`. */
  readonly kind: 'transactional' | 'leased'
  /** False for a store without scopes. @defaultValue true */
  readonly scopes?: boolean
  /** False for a store that cannot store final errors. @defaultValue true */
  readonly finalErrors?: boolean
  /** False for a store whose records expire on their own, so that `purge` finds none. @defaultValue true */
  readonly purges?: boolean
}

interface Call {
  readonly key?: string
  readonly scope?: string
  readonly payload?: unknown
  readonly waitMs?: number
  readonly retentionMs?: number
  readonly onReplay?: () => void
  readonly finalErrors?: { encode(error: unknown): string | undefined; decode(text: string): unknown }
}

/** Calls `withIdempotency` and `findReplay` on one store object. */
export interface Caller {
  /** `effect` writes a mark in the handler's transaction; on a leased store it does nothing. */
  run(call: Call, handler: (effect: () => Promise<void>) => Promise<unknown>): Promise<unknown>
  find(call: Call): Promise<{ readonly found: boolean }>
}

/** The callers of one test. Each test has its own keys, so back ends may be shared. */
export interface Subject {
  /** On `store`, with its object to purge. */
  readonly caller: Caller & Pick<LeasedIdempotencyStore, 'purge'>
  readonly rival: Caller
  /** The committed marks; 0 on a leased store. */
  effects(): Promise<number>
}

export function subjectOf<Transaction>(opened: OpenIdempotencyStore<Transaction>): Subject {
  const prefix = randomUUID().slice(0, 8)
  const effects = 'effects' in opened ? opened.effects : undefined
  const on = (store: OpenIdempotencyStore<Transaction>['store']): Caller => {
    const named = ({ key = 'k', ...call }: Call) => ({ ...call, key: `${prefix}${key}`.slice(0, 255) })
    const codec: Codec<unknown> = jsonCodec
    return {
      run: (call, handler) => {
        if (store.kind === 'leased') {
          const options = { ...named(call), codec, store, onAmbiguous: 'rerun' } as const
          return withIdempotency(options, () => handler(async () => {}))
        }
        return withIdempotency({ ...named(call), codec, store }, ({ transaction }) =>
          handler(async () => effects?.add(transaction)),
        )
      },
      find: (call) => findReplay({ ...named(call), store }),
    }
  }
  return {
    caller: { ...on(opened.store), purge: (request) => opened.store.purge(request) },
    rival: on(opened.rival),
    effects: async () => (await effects?.count()) ?? 0,
  }
}

export class Broke extends Error {}

export const brokeErrors = {
  encode: (error: unknown) => (error instanceof Broke ? error.message : undefined),
  decode: (text: string) => new Broke(text),
}
