import { Cluster } from 'ioredis'
import { afterAll, beforeAll } from 'vitest'
import { ioredisLockStore } from '../../../src/entries/ioredis.ts'
import { onDocker } from '../../support/engines.ts'
import { type RedisCluster, startRedisCluster } from '../../support/redis-cluster.ts'
import { provePitfalls } from './prove.ts'

onDocker.describe('on a Redis Cluster of three masters', () => {
  let servers: RedisCluster
  beforeAll(async () => {
    servers = await startRedisCluster()
  }, 90_000)
  afterAll(() => servers.stop())

  provePitfalls(onDocker, 'ioredis Cluster', async (environment) => {
    const client = new Cluster(servers.ports.map((port) => ({ host: '127.0.0.1', port })))
    // The client connects to a node when it first needs it: by then it has all of them.
    await client.ping()
    await Promise.all(client.nodes().map((node) => node.ping()))
    const store = ioredisLockStore({ client, ...(environment && { environment }) })
    return { store, close: async () => client.disconnect() }
  })
})
