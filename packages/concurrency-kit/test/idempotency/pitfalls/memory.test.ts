import { describe, test } from 'vitest'
import { memoryIdempotencyStore } from '../../../src/idempotency/stores/memory.ts'
import { proveRecordPitfalls } from './prove.ts'

proveRecordPitfalls({ describe, test }, 'memory', () => {
  const store = memoryIdempotencyStore()
  return { open: async () => ({ store, close: async () => {} }) }
})
