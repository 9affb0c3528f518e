import { Redis } from 'ioredis'
import { ioredisLockStore } from '../../src/entries/ioredis.ts'
import { lockStoreContract } from '../../src/lock/lock-store-contract.ts'
import { onRedis, sharedRedis } from '../support/engines.ts'

lockStoreContract(onRedis, 'ioredis', async () => {
  const client = new Redis(sharedRedis())
  const store = ioredisLockStore({ client })
  return {
    store,
    close: async () => {
      await store.close()
      client.disconnect()
    },
  }
})
