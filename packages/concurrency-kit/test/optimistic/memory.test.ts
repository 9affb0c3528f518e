import { describe, test } from 'vitest'
import { memoryVersionedStore } from '../../src/optimistic/stores/memory.ts'
import { type Counter, versionedStoreContract } from '../../src/optimistic/versioned-store-contract.ts'

versionedStoreContract({ describe, test }, 'memory', async () => {
  const store = memoryVersionedStore<number, Counter>()
  return {
    store,
    insert: async (count) => {
      store.insert(1, { count })
      return 1
    },
    delete: async (id) => {
      store.delete(id)
    },
    close: async () => {},
  }
})
