import type { Redis } from 'ioredis'
import { afterAll, beforeAll } from 'vitest'
import { redlockLockStore } from '../../src/entries/redlock.ts'
import { lockStoreContract } from '../../src/entries/testing.ts'
import { type RedisServers, startRedis } from '../support/containers.ts'
import { onDocker } from '../support/engines.ts'
import { nodeOn, VERSIONS } from '../support/redlock.ts'

onDocker.describe('redlock', () => {
  let servers: RedisServers
  let nodes: Redis[]

  beforeAll(async () => {
    servers = await startRedis({ count: 5 })
    nodes = servers.ports.map((port) => nodeOn(port))
  })

  afterAll(async () => {
    for (const node of nodes) node.disconnect()
    await servers.stop()
  })

  for (const count of [3, 5]) {
    for (const [version, redlockOn] of VERSIONS) {
      const open = () => redlockLockStore({ redlock: redlockOn(nodes.slice(0, count)) })
      lockStoreContract(
        onDocker,
        `${version} on ${count} nodes`,
        async () => {
          const [store, rival] = [open(), open()]
          return { store, rival, close: () => Promise.all([store.close(), rival.close()]).then(() => {}) }
        },
        { fencing: false, acquiresOnce: true, watch: false },
      )
    }
  }
})
