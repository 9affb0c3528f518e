// Compiled by `check`, never run: each `@ts-expect-error` is a line that must not compile.
import type { Knex } from 'knex'
import { knexVersionedStore } from '../../src/entries/knex.ts'
import { memoryVersionedStore, optimisticUpdate } from '../../src/index.ts'

interface Account {
  readonly id: number
  readonly balance: number
}

/** What another client calls a transaction. */
interface OtherTransaction {
  query(sql: string): Promise<unknown>
}

declare const knex: Knex
declare const transaction: Knex.Transaction
declare const other: OtherTransaction
const accounts = knexVersionedStore<Account>({ knex, table: 'accounts' })
const orders = knexVersionedStore<Account, string>({ knex, table: 'orders' })
const memory = memoryVersionedStore<string, { n: number }>()

export const updated: Promise<Account> = optimisticUpdate(
  { store: accounts, id: 1 },
  (account, { attempt, version }) => ({
    ...account,
    balance: account.balance + attempt + version,
  }),
)
export const inside: Promise<Account> = optimisticUpdate(
  { store: accounts.within(transaction), id: 1 },
  async (account) => account,
)
export const named: Promise<{ n: number }> = optimisticUpdate({ store: memory, id: 'a' }, ({ n }) => ({ n: n + 1 }))

// @ts-expect-error a transaction of another client
accounts.within(other)
// @ts-expect-error the client itself is no transaction
accounts.within(knex)
// @ts-expect-error an id of another type
optimisticUpdate({ store: accounts, id: '1' }, (account) => account)
// @ts-expect-error and the other way round
optimisticUpdate({ store: orders, id: 1 }, (order) => order)
// @ts-expect-error the new value is another thing
optimisticUpdate({ store: accounts, id: 1 }, () => ({ n: 1 }))
optimisticUpdate({ store: accounts, id: 1 }, (account) => {
  // @ts-expect-error the value is frozen
  account.balance = 5
  return account
})
// @ts-expect-error nothing is no value
optimisticUpdate({ store: accounts, id: 1 }, () => {})

const plain = knexVersionedStore<Account>({ knex, table: 'accounts', version: 'xmin' })
export const byContent = optimisticUpdate(
  { store: knexVersionedStore<Account>({ knex, table: 'accounts', version: 'content' }), id: 1 },
  (account, { version }) => ({ ...account, balance: version.length }),
)
// @ts-expect-error a version that the database computes is text, not to be counted with
optimisticUpdate({ store: plain, id: 1 }, (account, { version }) => ({ ...account, balance: version * 2 }))
// @ts-expect-error there is no such kind
knexVersionedStore<Account>({ knex, table: 'accounts', version: 'updated_at' })

interface Order {
  readonly tenant_id: number
  readonly id: number
  readonly total: bigint
}
const ordersOfTenants = knexVersionedStore<Order, Pick<Order, 'tenant_id' | 'id'>>({
  knex,
  table: 'shop.orders',
  idColumns: ['tenant_id', 'id'],
})
export const ofTenant: Promise<Order> = optimisticUpdate(
  { store: ordersOfTenants, id: { tenant_id: 1, id: 7 } },
  (order, { version }) => ({ ...order, total: order.total + BigInt(version) }),
)
export const anyColumns = optimisticUpdate(
  {
    store: knexVersionedStore({ knex, table: 'orders', idColumns: ['tenant_id', 'id'] }),
    id: { tenant_id: 1, id: 7n },
  },
  (order) => order,
)
export const byXmin: Promise<Order> = optimisticUpdate(
  {
    store: knexVersionedStore<Order, { id: string }>({ knex, table: 'orders', idColumns: ['id'], version: 'xmin' }),
    id: { id: 'a' },
  },
  (order, { version }) => ({ ...order, total: BigInt(version.length) }),
)
// @ts-expect-error a column of the id is missing
optimisticUpdate({ store: ordersOfTenants, id: { tenant_id: 1 } }, (order) => order)
// @ts-expect-error no column of the id
knexVersionedStore<Order, Pick<Order, 'id'>>({ knex, table: 'orders', idColumns: ['tenant_id'] })
// @ts-expect-error either one column or several
knexVersionedStore<Order>({ knex, table: 'orders', idColumn: 'id', idColumns: ['id'] })
