import type { Knex } from 'knex'
import { expect } from 'vitest'
import {
  knexIdempotencyStore,
  knexLeasedIdempotencyStore,
  knexLockStore,
  knexVersionedStore,
} from '../../src/entries/knex.ts'
import {
  findReplay,
  type LeasedIdempotencyStore,
  type LockStore,
  optimisticUpdate,
  purgeExpired,
  type TransactionalIdempotencyStore,
  type VersionedStore,
  withDistributedLock,
  withIdempotency,
} from '../../src/index.ts'

type Records = TransactionalIdempotencyStore<unknown> | LeasedIdempotencyStore
export type Row = { readonly n: number }

const never = () => expect.unreachable('nothing may run')

async function calls(records: Records): Promise<unknown[]> {
  const run =
    records.kind === 'leased'
      ? withIdempotency({ store: records, key: 'k', onAmbiguous: 'refuse' }, never)
      : withIdempotency({ store: records, key: 'k' }, never)
  return settled([run, findReplay({ store: records, key: 'k' }), purgeExpired({ store: records })])
}

async function settled(promises: readonly Promise<unknown>[]): Promise<unknown[]> {
  return (await Promise.allSettled(promises)).map((outcome) => outcome.status === 'rejected' && outcome.reason)
}

/** Each call on a database without the kit's tables rejects with a `StoreError` that says who makes them. */
export async function missingRecords(records: Records): Promise<void> {
  for (const error of await calls(records)) {
    expect(error).toMatchObject({ code: 'STORE_ERROR' })
    expect(String(error)).toMatch(/idempotency_\w+.*; createTables or tableStatements of concurrency-kit\/knex/)
  }
}

async function missingLocks(store: LockStore): Promise<void> {
  const [error] = await settled([withDistributedLock({ store, key: 'k' }, never)])
  expect(error).toMatchObject({ code: 'STORE_ERROR' })
  expect(String(error)).toMatch(/locks.*; createTables or tableStatements of concurrency-kit\/knex/)
}

/** The rows are the application's own: the error names its table. */
export async function missingRows(store: VersionedStore<number, Row>): Promise<void> {
  const [error] = await settled([optimisticUpdate({ store, id: 1 }, never)])
  expect(error).toMatchObject({ code: 'STORE_ERROR' })
  expect(String(error)).toMatch(/accounts/)
}

/** @param leases - Of another pool: leases and transactions do not share one on SQLite. */
export async function missingOverKnex(knex: Knex, leases: Knex): Promise<void> {
  await missingRecords(knexIdempotencyStore({ knex }) as Records)
  await missingRecords(knexLeasedIdempotencyStore({ knex: leases }))
  await missingLocks(knexLockStore({ knex: leases }))
  await missingRows(knexVersionedStore<Row>({ knex, table: 'accounts' }))
}
