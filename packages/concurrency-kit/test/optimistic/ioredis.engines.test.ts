import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { ioredisVersionedStore } from '../../src/entries/ioredis.ts'
import { type Counter, versionedStoreContract } from '../../src/optimistic/versioned-store-contract.ts'
import { onRedis, sharedRedis } from '../support/engines.ts'

versionedStoreContract(onRedis, 'ioredis', async () => {
  const client = new Redis(sharedRedis())
  const store = ioredisVersionedStore<string, Counter>({ client, prefix: 'contract:' })
  const insert = async (count: number) => {
    const id = randomUUID()
    await store.insert(id, { count })
    return id
  }
  const remove = async (id: string) => {
    await store.delete(id)
  }
  return { store, insert, delete: remove, close: async () => client.disconnect() }
})
