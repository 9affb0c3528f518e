import { Redis } from 'ioredis'
import { ioredisVersionedStore } from '../../../src/entries/ioredis.ts'
import { onRedis, sharedRedis } from '../../support/engines.ts'
import { freshKey } from '../../support/redis-keys.ts'
import { proveValuePitfalls } from './values.ts'

proveValuePitfalls({ describe: onRedis.describe, test: onRedis.test }, 'ioredis', async () => {
  const client = new Redis(sharedRedis())
  const store = ioredisVersionedStore<string, object>({ client, prefix: freshKey() })
  return { store, insert: (id, value) => store.insert(id, value), close: async () => client.disconnect() }
})
