import { expect, test } from 'vitest'
import { isLockUnavailableError } from '../../src/errors.ts'
import { acquireLock } from '../../src/lock/acquire-lock.ts'
import { LockEngine } from '../../src/lock/lock-engine.ts'
import { memoryLockStore } from '../../src/lock/stores/memory.ts'

const WAITERS = 10_000

test.each([
  ['spread over a second', (index: number) => (index * 7_919) % 1_000],
  ['all equal', () => 300],
])('10 000 waiters on one key, their waitMs %s: every one is refused, none before its time', async (_name, waitMs) => {
  const store = memoryLockStore()
  const held = await acquireLock({ store, key: 'k' })
  const refused = await Promise.all(
    Array.from({ length: WAITERS }, async (_, index) => {
      const startedAt = performance.now()
      const error = await acquireLock({ store, key: 'k', waitMs: waitMs(index) }).catch((thrown: unknown) => thrown)
      return isLockUnavailableError(error) && performance.now() - startedAt >= waitMs(index)
    }),
  )
  expect(refused.filter(Boolean)).toHaveLength(WAITERS)
  held.assertHeld()
  await held.release()
  expect(LockEngine.of(store).keysInUse).toBe(0)
})
