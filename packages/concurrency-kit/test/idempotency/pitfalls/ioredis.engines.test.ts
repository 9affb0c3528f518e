import { Redis } from 'ioredis'
import { ioredisIdempotencyStore } from '../../../src/entries/ioredis.ts'
import { onRedis, sharedRedis } from '../../support/engines.ts'
import { proveRecordPitfalls } from './prove.ts'

proveRecordPitfalls(onRedis, 'ioredis', () => {
  const url = new URL(sharedRedis())
  return {
    port: Number(url.port),
    async open({ environment, port = Number(url.port) }) {
      const client = new Redis({ port, maxRetriesPerRequest: 1 }).on('error', () => {})
      const store = ioredisIdempotencyStore({ client, commandMs: 500, ...(environment && { environment }) })
      return { store, close: async () => client.disconnect() }
    },
  }
})
