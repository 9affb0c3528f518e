import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect } from 'vitest'
import { ioredisIdempotencyStore, ioredisLockStore, ioredisVersionedStore } from '../../src/entries/ioredis.ts'
import {
  type ContractRunner,
  type Counter,
  idempotencyStoreContract,
  lockStoreContract,
  versionedStoreContract,
} from '../../src/entries/testing.ts'
import { acquireLock } from '../../src/lock/acquire-lock.ts'
import { withDistributedLock } from '../../src/lock/with-distributed-lock.ts'
import { type RedisSentinel, startRedisSentinel } from '../support/containers.ts'
import { onDocker } from '../support/engines.ts'
import { countersIn } from '../support/versioned-rows.ts'

let servers: RedisSentinel
/** One client for all suites: it lives through the failovers. */
let client: Redis

/** Fails over, and waits until the client writes on the new master. */
async function failOver() {
  await servers.failOver()
  await expect.poll(() => client.set('failed over', 1, 'PX', 1).catch(() => 'not yet'), { timeout: 20_000 }).toBe('OK')
}

/** Fails over in the middle of a suite. */
function failingOverBefore(nth: number): ContractRunner {
  let ran = 0
  return {
    describe: onDocker.describe,
    test: Object.assign(
      (title: string, body: () => Promise<void>) =>
        void onDocker.test(title, async () => {
          ran += 1
          if (ran === nth) await failOver()
          await body()
        }),
      { skip: onDocker.test.skip },
    ),
  }
}

onDocker.describe('by Sentinel', () => {
  beforeAll(async () => {
    servers = await startRedisSentinel()
    client = new Redis({ sentinels: [{ host: '127.0.0.1', port: servers.sentinelPort }], name: 'main' })
    client.on('error', () => {})
  }, 90_000)
  afterAll(async () => {
    client.disconnect()
    await servers.stop()
  })

  lockStoreContract(failingOverBefore(20), 'ioredis by Sentinel', async () => {
    const [store, rival] = [ioredisLockStore({ client }), ioredisLockStore({ client })]
    return { store, rival, close: () => Promise.all([store.close(), rival.close()]).then(() => {}) }
  })

  idempotencyStoreContract(
    failingOverBefore(17),
    'ioredis by Sentinel',
    async () => {
      const prefix = `${randomUUID()}:`
      const open = () => ioredisIdempotencyStore({ client, prefix })
      return { store: open(), rival: open(), close: async () => {} }
    },
    { kind: 'leased', purges: false },
  )

  versionedStoreContract(
    failingOverBefore(12),
    'ioredis by Sentinel',
    async () => {
      const open = () => ioredisVersionedStore<string, Counter>({ client, prefix: 'row:' })
      return { ...countersIn(open()), rival: open(), close: async () => {} }
    },
    { updateLocked: false },
  )

  onDocker.test(
    'L20: tokens increase, and waiters go on, over a failover and a counter that was lost with it',
    async () => {
      const store = ioredisLockStore({ client, commandMs: 20_000 })
      const key = randomUUID()
      const token = () =>
        withDistributedLock({ store, key, ttlMs: 30_000, waitMs: 20_000 }, (lease) => lease.fencingToken)
      const before = await token()
      const held = await acquireLock({ store, key, ttlMs: 30_000 })
      expect(held.fencingToken).toBeGreaterThan(before)
      const waiting = token()
      await failOver()
      await client.del('concurrency-kit:fencing-tokens')
      await held.release()
      expect(await waiting).toBeGreaterThan(held.fencingToken)
      await store.close()
    },
  )
})
