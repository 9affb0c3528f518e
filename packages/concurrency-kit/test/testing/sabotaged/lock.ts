import type { Knex } from 'knex'
import { endLeases, type LockStore } from '../../../src/index.ts'
import { turns } from './turns.ts'

export const lockTable =
  'CREATE TABLE leases (key TEXT PRIMARY KEY, holder TEXT, ends_at_ms INTEGER, next_token INTEGER)'

/** Looks for a live lease and then writes its own, in two statements, which only its own turns keep together. */
export function sabotagedLockStore(knex: Knex): LockStore<true> {
  const inTurn = turns()
  const live = (key: string, holder: string) =>
    knex('leases').where({ key, holder }).where('ends_at_ms', '>', Date.now())
  const store: LockStore<true> = {
    name: 'sabotaged',
    fencing: true,
    tryAcquire: ({ key, holder, ttlMs, tokens }) =>
      inTurn(async () => {
        const lease = await knex('leases').where({ key }).first()
        const freeInMs = (lease?.ends_at_ms ?? 0) - Date.now()
        if (freeInMs > 0 && lease.holder !== holder) return { acquired: false, freeInMs }
        const first = lease?.next_token ?? 1
        const row = { key, holder, ends_at_ms: Date.now() + ttlMs, next_token: first + tokens }
        await knex('leases').insert(row).onConflict('key').merge()
        return { acquired: true, firstToken: BigInt(first), tokens }
      }),
    extend: ({ key, holder, ttlMs }) =>
      inTurn(async () => (await live(key, holder).update({ ends_at_ms: Date.now() + ttlMs })) === 1),
    release: ({ key, holder }) => inTurn(async () => (await live(key, holder).update({ ends_at_ms: 0 })) === 1),
    close: () => endLeases(store),
  }
  return store
}
