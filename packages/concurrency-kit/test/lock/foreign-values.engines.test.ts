import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect } from 'vitest'
import { redlockLockStore } from '../../src/entries/redlock.ts'
import { isLockUnavailableError, isStoreError } from '../../src/errors.ts'
import type { LockStore } from '../../src/lock/lock-store.ts'
import { withDistributedLock } from '../../src/lock/with-distributed-lock.ts'
import { type RedisServers, startRedis } from '../support/containers.ts'
import { onDocker, onRedis } from '../support/engines.ts'
import { freshKey, lockProcess } from '../support/redis-keys.ts'
import { nodeOn, VERSIONS } from '../support/redlock.ts'

async function errorOf(store: LockStore, key: string): Promise<unknown> {
  return withDistributedLock({ store, key, waitMs: 50 }, () => 'never').catch((error) => error)
}

/** A value that never expires is waited for, as somebody may delete it, and then named. */
async function namesWhatNeverExpires(store: LockStore, clients: readonly Redis[]): Promise<void> {
  const key = freshKey()
  await Promise.all(clients.map((client) => client.set(key, 'by hand')))
  const error = await errorOf(store, key)
  expect(isLockUnavailableError(error)).toBe(true)
  expect(String(error)).toMatch(/holds a value that is not a lock: a value that never expires/)
  expect(String(error)).not.toContain('was not free')
  await Promise.all(clients.map((client) => client.del(key)))
  expect(await withDistributedLock({ store, key }, () => 'mine')).toBe('mine')
  // Held by another, it says what it always said.
  await Promise.all(clients.map((client) => client.set(key, 'another holder', 'PX', 60_000)))
  expect(String(await errorOf(store, key))).toContain('was not free within')
  await Promise.all(clients.map((client) => client.del(key)))
}

async function namesAnotherType(store: LockStore, clients: readonly Redis[], isKind: (error: unknown) => boolean) {
  const key = freshKey()
  await Promise.all(clients.map((client) => client.rpush(key, 'a list')))
  const error = await errorOf(store, key)
  expect(isKind(error)).toBe(true)
  expect(String(error)).toMatch(/holds a value that is not a lock/)
  await Promise.all(clients.map((client) => client.del(key)))
}

onRedis.describe('a key that holds a value that is not a lock', () => {
  onRedis.test('X12: a value that never expires is named once the wait is over, by ioredis', async () => {
    const { client, store, close } = lockProcess()
    await namesWhatNeverExpires(store, [client])
    await close()
  })

  onRedis.test('X12: a value of another type is named, by ioredis', async () => {
    const { client, store, close } = lockProcess()
    await namesAnotherType(store, [client], isStoreError)
    await close()
  })
})

onDocker.describe('a key that holds a value that is not a lock, on a quorum', () => {
  let servers: RedisServers
  let nodes: Redis[]
  beforeAll(async () => {
    servers = await startRedis({ count: 3 })
    nodes = servers.ports.map((port) => nodeOn(port))
  })
  afterAll(async () => {
    for (const node of nodes) node.disconnect()
    await servers.stop()
  })

  onDocker.test.each(VERSIONS)('X12: is named once the wait is over, by %s', async (_version, redlockOn) => {
    const store = redlockLockStore({ redlock: redlockOn(nodes) })
    await namesWhatNeverExpires(store, nodes)
    await namesAnotherType(store, nodes, isLockUnavailableError)
    await store.close()
  })
})
