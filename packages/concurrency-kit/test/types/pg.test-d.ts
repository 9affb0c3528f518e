// Compiled by `check`, never run: each `@ts-expect-error` is a line that must not compile.
import type { Knex } from 'knex'
import type pg from 'pg'
import { knexVersionedStore } from '../../src/entries/knex.ts'
import { pgIdempotencyStore, pgVersionedStore } from '../../src/entries/pg.ts'
import { optimisticUpdate, type TransactionalIdempotencyStore, withIdempotency } from '../../src/index.ts'

interface Account {
  readonly id: number
  readonly balance: number
}

declare const pool: pg.Pool
declare const client: pg.PoolClient
declare const single: pg.Client
declare const knex: Knex
declare const transaction: Knex.Transaction
const records = pgIdempotencyStore({ pool, isolationLevel: 'serializable' })
const accounts = pgVersionedStore<Account>({ pool, table: 'accounts' })
const knexAccounts = knexVersionedStore<Account>({ knex, table: 'accounts' })

// The handler gets the client as the caller's pool gives it.
export const kind: TransactionalIdempotencyStore<pg.PoolClient> = records
export const charged: Promise<Account> = withIdempotency({ store: records, key: 'a' }, async ({ transaction: own }) => {
  const typed: pg.PoolClient = own
  await typed.query('SELECT 1')
  return optimisticUpdate({ store: accounts.within(own), id: 1 }, (account) => account)
})
accounts.within(client)
accounts.within(single)

// @ts-expect-error a transaction of another client
accounts.within(transaction)
// @ts-expect-error and the other way round
knexAccounts.within(client)
// @ts-expect-error the pool itself is no transaction: every query of it may go another way
accounts.within(pool)
// @ts-expect-error there is no such level
pgIdempotencyStore({ pool, isolationLevel: 'snapshot' })
// @ts-expect-error one client is no pool
pgIdempotencyStore({ pool: single })
