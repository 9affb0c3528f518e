import { Cluster } from 'ioredis'
import { afterAll, beforeAll } from 'vitest'
import { ioredisLockStore } from '../../src/entries/ioredis.ts'
import { lockStoreContract } from '../../src/lock/lock-store-contract.ts'
import { type RedisServers, startRedisCluster } from '../support/containers.ts'
import { onDocker } from '../support/engines.ts'

let servers: RedisServers
onDocker.describe('on a Cluster of three masters', () => {
  beforeAll(async () => {
    servers = await startRedisCluster()
  })
  afterAll(() => servers.stop())

  lockStoreContract(onDocker, 'ioredis Cluster', async () => {
    const client = new Cluster(servers.ports.map((port) => ({ host: '127.0.0.1', port })))
    const store = ioredisLockStore({ client })
    return {
      store,
      close: async () => {
        await store.close()
        client.disconnect()
      },
    }
  })
})
