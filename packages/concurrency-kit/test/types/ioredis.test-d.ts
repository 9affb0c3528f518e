// Compiled by `check`, never run: each `@ts-expect-error` is a line that must not compile.
import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis-5'
import { ioredisIdempotencyStore, ioredisLockStore, ioredisVersionedStore } from '../../src/entries/ioredis.ts'
import { optimisticUpdate, withDistributedLock, withIdempotency } from '../../src/index.ts'

const clients = [new Redis(), new Cluster([]), new Redis5(), new Cluster5([])] as const
export const stores = clients.map((client) => [
  ioredisLockStore({ client }),
  ioredisIdempotencyStore({ client }),
  ioredisVersionedStore({ client }),
])
const [client] = clients

export const token: Promise<bigint> = withDistributedLock(
  { store: ioredisLockStore({ client }), key: 'a' },
  (lease) => lease.fencingToken,
)

// @ts-expect-error a leased store cannot know what became of a run whose owner vanished
withIdempotency({ store: ioredisIdempotencyStore({ client }), key: 'a' }, () => 1)

const accounts = ioredisVersionedStore<number, { readonly balance: number }>({ client })
export const balance: Promise<{ readonly balance: number }> = optimisticUpdate(
  { store: accounts, id: 1 },
  (account) => ({ balance: account.balance + 1 }),
)
// @ts-expect-error an id of another kind
accounts.insert('1', { balance: 0 })
// @ts-expect-error Redis has no transaction that a handler could take part in
accounts.within
// @ts-expect-error units are in the names
ioredisLockStore({ client, commandTimeout: 1_000 })
