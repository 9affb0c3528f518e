// Compiled by `check`, never run: each `@ts-expect-error` is a line that must not compile.
import createKnex from 'knex'
import pg from 'pg'
import { knexLockStore } from '../../src/entries/knex.ts'
import { pgAdvisoryLockStore } from '../../src/entries/pg.ts'
import { acquireLock, type LockStore, memoryLockStore, withDistributedLock } from '../../src/index.ts'

const fencing = memoryLockStore()
declare const tokenless: LockStore<false>
declare const unknownStore: LockStore

export const inferred: Promise<number> = withDistributedLock({ store: fencing, key: 'a' }, () => 1)
export const flattened: Promise<string> = withDistributedLock({ store: fencing, key: 'a' }, async () => 'text')
export const token: Promise<bigint> = withDistributedLock({ store: fencing, key: 'a' }, (lease) => lease.fencingToken)
export const tokens: Promise<ReadonlyMap<string, bigint>> = withDistributedLock(
  { store: fencing, key: ['a', 'b'] },
  (lease) => lease.fencingTokens,
)

export const onPostgres: Promise<bigint> = withDistributedLock(
  { store: knexLockStore({ knex: createKnex({ client: 'pg' }), listener: new pg.Client() }), key: 'a' },
  (lease) => lease.fencingToken,
)

// @ts-expect-error advisory locks have no tokens
withDistributedLock({ store: pgAdvisoryLockStore({ pool: new pg.Pool() }), key: 'a' }, (lease) => lease.fencingToken)
// @ts-expect-error a pool, not a client: the store checks out its own
pgAdvisoryLockStore({ pool: new pg.Client() })
// @ts-expect-error a store without fencing gives no token
withDistributedLock({ store: tokenless, key: 'a' }, (lease) => lease.fencingToken)
// @ts-expect-error nor does one that does not say
withDistributedLock({ store: unknownStore, key: 'a' }, (lease) => lease.fencingToken)
// @ts-expect-error a list has a token for each key, not one
withDistributedLock({ store: fencing, key: ['a', 'b'] }, (lease) => lease.fencingToken)
// @ts-expect-error one key has one token, not a map
withDistributedLock({ store: fencing, key: 'a' }, (lease) => lease.fencingTokens)
// @ts-expect-error the section's lease is not the section's to release
withDistributedLock({ store: fencing, key: 'a' }, (lease) => lease.release())
// @ts-expect-error a key is text
withDistributedLock({ store: fencing, key: 7 }, () => {})
// @ts-expect-error units are in the names
withDistributedLock({ store: fencing, key: 'a', ttl: 10 }, () => {})

export async function owned(): Promise<bigint> {
  await using lease = await acquireLock({ store: fencing, key: 'a' })
  await fetch('http://localhost', { signal: lease.signal })
  return lease.fencingToken
}
