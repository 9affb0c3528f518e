import { describe, expect, test, vi } from 'vitest'
import * as kit from '../src/errors.ts'

const samples = [
  new kit.LockUnavailableError('k', 12),
  new kit.LeaseLostError('k', 'why'),
  new kit.ReentrantLockError('k'),
  new kit.IdempotencyInProgressError('k', 'why'),
  new kit.FingerprintMismatchError('k'),
  new kit.AmbiguousOutcomeError('k', 'why'),
  new kit.NoEffectError('why'),
  new kit.ResultNotSerializableError('$.a', 'a BigInt'),
  new kit.VersionConflictError(1, 2, 3, 4),
  new kit.RowNotFoundError(1),
  new kit.TransactionRetriesError(3, { cause: new Error('busy') }),
  new kit.StoreError('what', { cause: new Error('refused') }),
]

describe('errors', () => {
  test.each(samples.map((error) => [error.constructor.name, error] as const))(
    'L23: %s has its own name, a stable code, and is an Error',
    (name, error) => {
      expect(error.name).toBe(name)
      expect(error.code).toMatch(/^[A-Z_]+$/)
      expect(error).toBeInstanceOf(Error)
      expect(String(error)).toContain(name)
    },
  )

  test('codes are all different, and each error has exactly one guard that knows it', () => {
    expect(new Set(samples.map((error) => error.code)).size).toBe(samples.length)
    const guards = Object.entries(kit).filter(([name]) => name.startsWith('is'))
    expect(guards.length).toBe(samples.length)
    for (const error of samples) {
      const knowing = guards.filter(([, guard]) => (guard as (error: unknown) => boolean)(error)).map(([name]) => name)
      expect(knowing).toEqual([`is${error.name}`])
    }
  })

  test('P2: guards go by brand, so errors of another copy of the package are known', async () => {
    vi.resetModules()
    const copy = await import('../src/errors.ts')
    const error = new copy.LeaseLostError('k', 'why')
    expect(error).not.toBeInstanceOf(kit.LeaseLostError)
    expect(kit.isLeaseLostError(error)).toBe(true)
  })

  test('I6: an error that only looks like one of ours is none', () => {
    const lookalike = Object.assign(new Error('mine'), { name: 'LeaseLostError', code: 'LEASE_LOST' })
    expect(kit.isLeaseLostError(lookalike)).toBe(false)
    for (const other of [null, undefined, 'LEASE_LOST', 7, {}]) expect(kit.isLeaseLostError(other)).toBe(false)
  })
})
