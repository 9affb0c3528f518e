import { Redis } from 'ioredis'
import { ioredisVersionedStore } from '../../src/entries/ioredis.ts'
import { versionedStoreContract } from '../../src/optimistic/versioned-store-contract.ts'
import { onRedis, sharedRedis } from '../support/engines.ts'
import { countersIn } from '../support/versioned-rows.ts'

versionedStoreContract(onRedis, 'ioredis', async () => {
  const client = new Redis(sharedRedis())
  const rows = countersIn(ioredisVersionedStore({ client, prefix: 'contract:' }))
  return { ...rows, close: async () => client.disconnect() }
})
