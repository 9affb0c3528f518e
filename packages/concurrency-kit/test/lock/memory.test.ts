import { describe, test } from 'vitest'
import { lockStoreContract } from '../../src/entries/testing.ts'
import { memoryLockStore } from '../../src/lock/stores/memory.ts'
import { LockStoreOfProcess } from '../support/processes.ts'

lockStoreContract({ describe, test }, 'memory', async () => {
  const store = memoryLockStore()
  const rival = new LockStoreOfProcess(store, async (command) => command())
  return { store, rival, close: () => store.close() }
})
