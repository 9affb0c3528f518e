import { describe, test } from 'vitest'
import { idempotencyStoreContract } from '../../src/entries/testing.ts'
import { memoryIdempotencyStore } from '../../src/idempotency/stores/memory.ts'
import { asAnotherProcess } from '../support/processes.ts'

idempotencyStoreContract(
  { describe, test },
  'memory',
  async () => {
    const store = memoryIdempotencyStore()
    return { store, rival: asAnotherProcess(store), close: async () => {} }
  },
  { kind: 'leased' },
)
