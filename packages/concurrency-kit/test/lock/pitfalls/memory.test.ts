import { describe, test } from 'vitest'
import { memoryLockStore } from '../../../src/lock/stores/memory.ts'
import { LockStoreOfProcess } from '../../support/processes.ts'
import { provePitfalls } from './prove.ts'

const shared = memoryLockStore()

provePitfalls({ describe, test }, 'memory', async () => ({
  store: new LockStoreOfProcess(shared, async (command) => command()),
  close: async () => {},
}))
