import { randomUUID } from 'node:crypto'
import type { IoredisVersionedStore } from '../../src/entries/ioredis.ts'
import type { Counter } from '../../src/entries/testing.ts'

/** The rows of the versioned store's contract, in a store that makes them itself. */
export function countersIn(store: IoredisVersionedStore<string, Counter>) {
  return {
    store,
    insert: async (count: number, id: string = randomUUID()) => {
      await store.insert(id, { count })
      return id
    },
    delete: async (id: string) => {
      await store.delete(id)
    },
  }
}
