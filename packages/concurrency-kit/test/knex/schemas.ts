import type { Knex } from 'knex'
import { expect, type test as vitestTest } from 'vitest'
import {
  createTables,
  knexIdempotencyStore,
  knexLeasedIdempotencyStore,
  knexLockStore,
  knexVersionedStore,
} from '../../src/entries/knex.ts'
import { purgeExpired } from '../../src/idempotency/purge-expired.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { withDistributedLock } from '../../src/lock/with-distributed-lock.ts'
import { optimisticUpdate } from '../../src/optimistic/optimistic-update.ts'

interface Schemas {
  /** With a schema `shop`. */
  readonly knex: Knex
  /** With a schema `shop` too, for leases. */
  readonly leases: Knex
  /** Names of the tables and indexes outside of the schema. */
  outside(): Promise<readonly unknown[]>
  close(): Promise<unknown>
}

/** Tables with a schema in their names, on any database. */
export function proveSchemas(test: typeof vitestTest, open: () => Promise<Schemas>): void {
  const prove = (title: string, body: (schemas: Schemas) => Promise<void>) =>
    test(title, async () => {
      const schemas = await open()
      try {
        await body(schemas)
        expect(await schemas.outside()).toEqual([])
      } finally {
        await schemas.close()
      }
    })

  prove('V2: transactional records in a schema are made, claimed, replayed and purged there', async ({ knex }) => {
    for (const _ of [1, 2]) await createTables(knex, { idempotency: 'shop.records' })
    const store = knexIdempotencyStore({ knex, table: 'shop.records' })
    let ran = 0
    const call = (retentionMs: number) =>
      withIdempotency({ store, key: 'a', payload: 1, retentionMs }, () => {
        ran += 1
        return ran
      })
    expect([await call(1), ran]).toEqual([1, 1])
    await expect.poll(() => purgeExpired({ store })).toBe(1)
    expect([await call(60_000), await call(60_000), ran]).toEqual([2, 2, 2])
    expect(await countOf(knex, 'shop.records')).toBe(1)
  })

  prove('V2: leased records in a schema are made, claimed, replayed and purged there', async ({ leases }) => {
    await createTables(leases, { leasedIdempotency: 'shop.leased' })
    const store = knexLeasedIdempotencyStore({ knex: leases, table: 'shop.leased' })
    const call = (key: string, retentionMs: number) =>
      withIdempotency({ store, key, onAmbiguous: 'refuse', retentionMs }, async () => key)
    expect([await call('a', 60_000), await call('a', 60_000), await call('b', 1)]).toEqual(['a', 'a', 'b'])
    await expect.poll(() => purgeExpired({ store })).toBe(1)
    expect(await countOf(leases, 'shop.leased')).toBe(1)
  })

  prove('V2: leases in a schema exclude, queue and count tokens there', async ({ leases }) => {
    await createTables(leases, { locks: 'shop.locks' })
    const stores = [1, 2].map(() => knexLockStore({ knex: leases, table: 'shop.locks' }))
    let inside = 0
    const tokens = await Promise.all(
      Array.from({ length: 6 }, (_, n) =>
        withDistributedLock({ store: stores[n % 2] as (typeof stores)[0], key: 'k' }, async ({ fencingToken }) => {
          inside += 1
          expect(inside).toBe(1)
          await new Promise(setImmediate)
          inside -= 1
          return fencingToken
        }),
      ),
    )
    expect(new Set(tokens).size).toBe(6)
    for (const store of stores) await store.close()
  })

  prove('V2: versioned rows in a schema are read and written there', async ({ knex }) => {
    await knex.raw('CREATE TABLE shop.orders (id int PRIMARY KEY, n int, version int)')
    await knex.raw('INSERT INTO shop.orders VALUES (1, 0, 1)')
    const add = (row: Record<string, unknown>) => ({ ...row, n: Number(row['n']) + 1 })
    for (const options of [{}, { version: 'content' }] as const) {
      const store = knexVersionedStore({ knex, table: 'shop.orders', ...(options as object) })
      await optimisticUpdate({ store, id: 1 }, add)
      await store.updateLocked?.({ id: 1 }, ({ value }) => ({ value: add(value) }))
      await knex.transaction((transaction) => optimisticUpdate({ store: store.within(transaction), id: 1 }, add))
    }
    expect(await countOf(knex, 'shop.orders WHERE n = 6')).toBe(1)
  })

  prove('each part of a name is a plain one, and there are at most two', async ({ knex }) => {
    for (const table of ['shop.', '.orders', 'a.b.c', 'shop."orders"', 'shop .orders'])
      expect(() => knexVersionedStore({ knex, table })).toThrow('table must be a plain SQL name')
  })
}

async function countOf(knex: Knex, from: string): Promise<number> {
  const answer = await knex.raw(`SELECT count(*) AS n FROM ${from}`)
  return Number((Array.isArray(answer) ? answer : answer.rows)[0].n)
}
