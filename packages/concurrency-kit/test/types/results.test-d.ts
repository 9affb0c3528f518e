// Compiled by `check`, and by every compiler of compilers.test.ts; never run.
import {
  jsonWithDates,
  memoryIdempotencyStore,
  type TransactionalIdempotencyStore,
  withIdempotency,
} from '../../src/index.ts'

/** As most programs write it, as type-fest does, and as a recursive type of one's own. */
type Json = string | number | boolean | null | Json[] | { [name: string]: Json }
interface JsonArray extends Array<JsonValue> {}
type JsonObject = { [Key in string]: JsonValue } & { [Key in string]?: JsonValue | undefined }
type JsonValue = string | number | boolean | null | JsonObject | JsonArray
interface Tree {
  readonly name: string
  readonly children: readonly Tree[]
}
interface Answer {
  readonly status: number
  readonly body: unknown
}

declare const records: TransactionalIdempotencyStore<{ query(): void }>
declare const json: Json
declare const value: JsonValue
declare const tree: Tree
declare const answer: Answer
const recorded = { store: records, key: 'a' }
const leased = { store: memoryIdempotencyStore(), key: 'a', onAmbiguous: 'refuse' } as const

// What is JSON, or unknown, needs no codec.
export const passes: readonly [
  Promise<Json>,
  Promise<Json>,
  Promise<JsonValue>,
  Promise<{ data: Json; more: JsonValue }>,
  Promise<Tree>,
  Promise<Answer>,
  Promise<Answer[]>,
  Promise<Record<string, unknown>>,
  Promise<unknown>,
  Promise<void>,
  Promise<{ n?: number }>,
] = [
  withIdempotency(recorded, () => json),
  withIdempotency(leased, async () => json),
  withIdempotency(recorded, async () => value),
  withIdempotency(leased, async () => ({ data: json, more: value })),
  withIdempotency(recorded, async () => tree),
  withIdempotency(leased, async () => answer),
  withIdempotency(recorded, () => [answer]),
  withIdempotency(leased, () => ({}) as Record<string, unknown>),
  withIdempotency(recorded, (): unknown => new Date()),
  withIdempotency(leased, async () => {}),
  withIdempotency(recorded, () => ({}) as { n?: number }),
]

// A codec that carries dates leaves the result its type.
export const dated: Promise<{ at: Date }> = withIdempotency({ ...leased, codec: jsonWithDates }, () => ({
  at: new Date(),
}))
// @ts-expect-error there is no such property
withIdempotency({ ...recorded, codec: jsonWithDates }, () => ({ at: new Date() })).then(({ on }) => on)

// What JSON does not carry needs one, at any depth.
interface Visit {
  readonly at: Date
  readonly next?: Visit
}
// @ts-expect-error a Date
withIdempotency(recorded, () => ({}) as Visit)
// @ts-expect-error a Date in one of several
withIdempotency(leased, () => ({ at: 'now' as string | Date }))
// @ts-expect-error a Date beside what is unknown
withIdempotency(recorded, () => ({ ...answer, at: new Date() }))
// @ts-expect-error a big integer
withIdempotency(leased, async () => [[1n]])
// @ts-expect-error a function
withIdempotency(recorded, () => ({ list: [{ run: () => 1 }] }))
// @ts-expect-error a symbol
withIdempotency(leased, () => ({ id: Symbol('a') }))
