// Compiled by `check`, never run: each `@ts-expect-error` is a line that must not compile.
import type { Knex } from 'knex'
import { knexIdempotencyStore } from '../../src/entries/knex.ts'
import {
  findReplay,
  type LeasedIdempotencyStore,
  memoryIdempotencyStore,
  memoryLockStore,
  type TransactionalIdempotencyStore,
  withDistributedLock,
  withIdempotency,
} from '../../src/index.ts'

declare const knex: Knex
const records = knexIdempotencyStore({ knex })
const leased = memoryIdempotencyStore()
const locks = memoryLockStore()
const key = 'a'

export const kinds: [TransactionalIdempotencyStore<Knex.Transaction>, LeasedIdempotencyStore] = [records, leased]

// What the handlers get, and what the calls resolve to.
export const recorded: Promise<{ n: number }> = withIdempotency({ store: records, key }, async ({ transaction }) => {
  const own: Knex.Transaction = transaction
  await own('accounts').where({ id: 1 })
  return { n: 1 }
})
export const once: Promise<string> = withIdempotency({ store: leased, key, onAmbiguous: 'refuse' }, (context) => {
  context.assertOwned()
  return context.idempotencyKey
})
export const none: Promise<void> = withIdempotency({ store: records, key }, async () => {})
export const nested: Promise<{ n: number }> = withDistributedLock({ store: locks, key }, () =>
  withIdempotency({ store: records, key }, ({ attempt }) => ({ n: attempt })),
)
export const found: Promise<{ found: false } | { found: true; result: number }> = findReplay<number>({
  store: records,
  key,
})
export const probed: Promise<number> = withIdempotency(
  { store: leased, key, onAmbiguous: async () => ({ found: true, result: 1 }) },
  () => 1,
)

// @ts-expect-error what became of a record whose owner vanished cannot be known: the caller must say
withIdempotency({ store: leased, key }, () => 1)
// @ts-expect-error a transactional store always knows
withIdempotency({ store: records, key, onAmbiguous: 'refuse' }, ({ transaction }) => Boolean(transaction))
// @ts-expect-error a leased store has no transaction
withIdempotency({ store: leased, key, onAmbiguous: 'refuse' }, ({ transaction }) => Boolean(transaction))
// @ts-expect-error a transactional one has no lease to lose
withIdempotency({ store: records, key }, ({ assertOwned }) => assertOwned())
// @ts-expect-error there is no such choice
withIdempotency({ store: leased, key, onAmbiguous: 'hope' }, () => 1)
// @ts-expect-error a Date comes back from JSON as a string
withIdempotency({ store: records, key }, () => ({ at: new Date() }))
// @ts-expect-error JSON has no big integers
withIdempotency({ store: leased, key, onAmbiguous: 'refuse' }, async () => [1n])
// @ts-expect-error nor maps, in a nested call neither
withDistributedLock({ store: locks, key }, () => withIdempotency({ store: records, key }, () => new Map([[1, 2]])))
// @ts-expect-error the probe knows results of the same kind
withIdempotency({ store: leased, key, onAmbiguous: async () => ({ found: true, result: 'text' }) }, (): number => 1)

const dates = { encode: (at: Date) => at.toISOString(), decode: (text: string) => new Date(text) }
export const coded: Promise<Date> = withIdempotency({ store: records, key, codec: dates }, () => new Date())
