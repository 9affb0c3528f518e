import { Redis } from 'ioredis'
import { ioredisLockStore } from '../../../src/entries/ioredis.ts'
import { onRedis, sharedRedis } from '../../support/engines.ts'
import { provePitfalls } from './prove.ts'

provePitfalls(onRedis, 'ioredis', async (environment) => {
  const client = new Redis(sharedRedis())
  const store = ioredisLockStore({ client, ...(environment && { environment }) })
  return { store, close: async () => client.disconnect() }
})
