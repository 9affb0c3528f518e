import { describe, test } from 'vitest'
import { idempotencyStoreContract } from '../../src/idempotency/idempotency-store-contract.ts'
import { memoryIdempotencyStore } from '../../src/idempotency/stores/memory.ts'

idempotencyStoreContract({ describe, test }, 'memory', async () => ({
  store: memoryIdempotencyStore(),
  close: async () => {},
}))
