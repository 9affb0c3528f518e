import type { Signal } from '../abort.ts'
import { FingerprintMismatchError } from '../errors.ts'
import { events } from '../events.ts'
import { ask } from '../store-command.ts'
import { systemEnvironment } from '../time/clock.ts'
import { checkCodec, checkRequest, type RequestOptions, type ResultOptions } from './idempotency-options.ts'
import type { LeasedIdempotencyStore, TransactionalIdempotencyStore } from './idempotency-store.ts'
import { decode } from './settlement.ts'

export type Replay<Result> = { readonly found: false } | { readonly found: true; readonly result: Result }

export interface FindReplayOptions<Result> extends RequestOptions, ResultOptions<Result> {
  // biome-ignore lint/suspicious/noExplicitAny: a store of any transaction will do, none is opened
  readonly store: TransactionalIdempotencyStore<any> | LeasedIdempotencyStore
}

/** Longest time that looking a record up may take, in ms. */
const COMMAND_MS = 2_000

/**
 * Looks for the stored result of a request, without waiting for anything: for answering before a lock is taken.
 *
 * Not found proves nothing: the decisive check is inside `withIdempotency`, to which the same options go.
 *
 * @throws TypeError, RangeError for bad options or a payload that is not JSON.
 * @throws FingerprintMismatchError the key was used with another payload.
 * @throws StoreError the store failed, or did not answer within 2 s.
 * @throws whatever `finalErrors.decode` gives, where a final error is stored.
 */
export async function findReplay<Result = unknown>(options: FindReplayOptions<Result>): Promise<Replay<Result>> {
  const { key, scope, fingerprint, signal: callers } = checkRequest(options)
  const codec = checkCodec(options.codec)
  const { store, finalErrors } = options
  callers?.throwIfAborted()
  const { clock } = store.environment ?? systemEnvironment
  const find = ({ signal }: { readonly signal: Signal }) => store.find({ key, scope, signal })
  const record = await ask(`find of ${store.name}`, COMMAND_MS, clock, find, undefined, callers)
  if (record === undefined) return { found: false }
  if (record.fingerprint !== fingerprint) throw new FingerprintMismatchError(key)
  if (events.idempotency.replayed.hasSubscribers) {
    events.idempotency.replayed.publish({ store: store.name, scope, key, joined: false })
  }
  return { found: true, result: decode(record, { codec, finalErrors }) }
}
