import { randomUUID } from 'node:crypto'
import { Redis, type RedisOptions } from 'ioredis'
import { ioredisLockStore } from '../../src/entries/ioredis.ts'
import { sharedRedis } from './engines.ts'

/** A client and a lock store of its own, as another process would have, to be closed together. */
export function lockProcess(options: Omit<RedisOptions, 'replyMapping'> = {}, url = sharedRedis()) {
  const client = new Redis(url, options)
  client.on('error', () => {})
  const store = ioredisLockStore({ client })
  const close = async () => {
    await store.close()
    client.disconnect()
  }
  return { client, store, close }
}

export function freshKey(): string {
  return `test:${randomUUID()}`
}

/** What the server has of a key of the tests, and of the kit's own for it. */
export async function keysOf(client: Redis, key: string): Promise<string[]> {
  return (await client.keys(`*${key}*`)).sort()
}
