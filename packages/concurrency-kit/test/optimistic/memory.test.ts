import { describe, test } from 'vitest'
import { memoryVersionedStore } from '../../src/optimistic/stores/memory.ts'
import { type Counter, versionedStoreContract } from '../../src/optimistic/versioned-store-contract.ts'

versionedStoreContract({ describe, test }, 'memory', async () => {
  const store = memoryVersionedStore<number, Counter>()
  return {
    store,
    insert: async (count, id = 1) => {
      store.insert(id, { count })
      return id
    },
    delete: async (id) => {
      store.delete(id)
    },
    close: async () => {},
  }
})
