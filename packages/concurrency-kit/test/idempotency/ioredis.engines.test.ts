import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { ioredisIdempotencyStore } from '../../src/entries/ioredis.ts'
import { idempotencyStoreContract } from '../../src/idempotency/idempotency-store-contract.ts'
import { onRedis, sharedRedis } from '../support/engines.ts'

idempotencyStoreContract(onRedis, 'ioredis', async () => {
  const client = new Redis(sharedRedis())
  const store = ioredisIdempotencyStore({ client, prefix: `contract:${randomUUID()}:` })
  return { store, purges: false, close: async () => client.disconnect() }
})
