import { describe, test } from 'vitest'
import { lockStoreContract } from '../../src/lock/lock-store-contract.ts'
import { memoryLockStore } from '../../src/lock/stores/memory.ts'

lockStoreContract({ describe, test }, 'memory', async () => {
  const store = memoryLockStore()
  return { store, close: () => store.close() }
})
