import { describe, expect, test } from 'vitest'
import {
  acquireLock,
  findReplay,
  memoryIdempotencyStore,
  memoryLockStore,
  memoryVersionedStore,
  optimisticUpdate,
  withDistributedLock,
  withIdempotency,
} from '../src/index.ts'

/** As a caller without types could pass them. */
type Options = never

const locks = memoryLockStore()
const records = memoryIdempotencyStore()
const rows = memoryVersionedStore<number, { n: number }>({ rows: [[1, { n: 1 }]] })

const lock = (options: object) => withDistributedLock({ store: locks, key: 'a', ...options } as Options, () => 1)
const owned = (options: object) => acquireLock({ store: locks, key: 'a', ...options } as Options)
const idempotency = (options: object) =>
  withIdempotency({ store: records, key: 'a', onAmbiguous: 'refuse', ...options } as Options, () => 1)
const replay = (options: object) => findReplay({ store: records, key: 'a', ...options } as Options)
const update = (options: object) => optimisticUpdate({ store: rows, id: 1, ...options } as Options, (row) => row)

describe('a bad option is refused at once, by a message that names it and what came', () => {
  test.each<[string, (options: object) => Promise<unknown>, object, typeof TypeError | typeof RangeError, string]>([
    ['lock', lock, { ttlMs: 0 }, RangeError, 'ttlMs must be a whole number from 1 to 2147483647, but is 0'],
    ['lock', lock, { ttlMs: '10' }, TypeError, 'ttlMs must be a number, but is "10"'],
    ['lock', lock, { waitMs: -1 }, RangeError, 'waitMs must be a whole number from 0 to 2147483647, but is -1'],
    ['lock', lock, { waitMs: 1.5 }, RangeError, 'but is 1.5'],
    ['lock', lock, { waitMs: Number.NaN }, RangeError, 'but is NaN'],
    ['lock', lock, { waitMs: 2 ** 31 }, RangeError, 'but is 2147483648'],
    ['lock', lock, { key: '' }, RangeError, 'key must not be empty'],
    ['lock', lock, { key: 5 }, TypeError, 'key must be a string, but is 5'],
    ['lock', lock, { key: [] }, RangeError, 'key'],
    ['lock', lock, { key: ['a', null] }, TypeError, 'but is null'],
    ['lock', lock, { key: 'a\0' }, RangeError, 'key must not contain NUL'],
    ['lock', lock, { key: '열'.repeat(342) }, RangeError, 'key must have at most 1024 bytes as UTF-8, but has 1026'],
    ['lock', lock, { whenLost: 'ignore' }, TypeError, 'whenLost must be one of "throw", "return", but is "ignore"'],
    ['lock', lock, { signal: {} }, TypeError, 'signal.addEventListener must be a function, but is undefined'],
    ['lock', lock, { store: {} }, TypeError, 'store.tryAcquire must be a function, but is undefined'],
    ['acquireLock', owned, { store: null }, TypeError, 'store must be an object, but is null'],
    [
      'idempotency',
      idempotency,
      { key: 'k'.repeat(256) },
      RangeError,
      'key must have at most 255 characters, but has 256',
    ],
    ['idempotency', idempotency, { scope: '' }, RangeError, 'scope must not be empty'],
    ['idempotency', idempotency, { waitMs: '5' }, TypeError, 'waitMs must be a number, but is "5"'],
    ['idempotency', idempotency, { retentionMs: 0 }, RangeError, 'retentionMs must be a whole number from 1'],
    ['idempotency', idempotency, { leaseMs: 0 }, RangeError, 'leaseMs must be a whole number from 1'],
    [
      'idempotency',
      idempotency,
      { onAmbiguous: undefined },
      TypeError,
      'onAmbiguous must be one of "rerun", "refuse", "a function", but is undefined',
    ],
    ['idempotency', idempotency, { codec: {} }, TypeError, 'codec.encode must be a function, but is undefined'],
    [
      'idempotency',
      idempotency,
      { finalErrors: { encode: () => '' } },
      TypeError,
      'finalErrors.decode must be a function',
    ],
    ['idempotency', idempotency, { onReplay: 1 }, TypeError, 'onReplay must be a function, but is 1'],
    ['idempotency', idempotency, { store: { ...records, kind: 'both' } }, TypeError, 'store'],
    ['idempotency', idempotency, { payload: { n: 1n } }, TypeError, 'payload must be JSON, but $.n is a BigInt'],
    ['findReplay', replay, { key: undefined }, TypeError, 'key must be a string, but is undefined'],
    ['findReplay', replay, { payload: Symbol('s') }, TypeError, 'payload must be JSON, but $ is a symbol'],
    ['update', update, { maxAttempts: 0 }, RangeError, 'maxAttempts must be a whole number from 1 to 1000, but is 0'],
    [
      'update',
      update,
      { lockAfter: 1_001 },
      RangeError,
      'lockAfter must be a whole number from 1 to 1000, but is 1001',
    ],
    [
      'update',
      update,
      { backoff: { baseMs: 9, capMs: 8 } },
      RangeError,
      'backoff.capMs must be a whole number from 9 to 60000, but is 8',
    ],
    ['update', update, { backoff: 5 }, TypeError, 'backoff must be an object, but is 5'],
    ['update', update, { store: [] }, TypeError, 'store.read must be a function'],
  ])('%s %#', async (_name, call, options, kind, message) => {
    const error = await call(options).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(kind)
    expect((error as Error).message).toContain(message)
  })

  test('a missing function or missing options too', async () => {
    const missing = undefined as never
    await expect(withDistributedLock({ store: locks, key: 'a' }, missing)).rejects.toThrow(
      'section must be a function, but is undefined',
    )
    await expect(withIdempotency({ store: records, key: 'a', onAmbiguous: 'refuse' }, missing)).rejects.toThrow(
      'handler must be a function',
    )
    await expect(optimisticUpdate({ store: rows, id: 1 }, missing)).rejects.toThrow('change must be a function')
    await expect(withDistributedLock(missing, () => 1)).rejects.toThrow('options must be an object, but is undefined')
    await expect(withIdempotency(missing, () => 1)).rejects.toThrow('options must be an object, but is undefined')
    await expect(findReplay(missing)).rejects.toThrow('options must be an object, but is undefined')
    await expect(optimisticUpdate(missing, (row) => row)).rejects.toThrow('options must be an object, but is undefined')
  })

  test('a long value is cut, and no value can make the message fail', async () => {
    await expect(lock({ whenLost: 'x'.repeat(100) })).rejects.toThrow(`but is "${'x'.repeat(60)}…"`)
    await expect(lock({ ttlMs: Symbol('s') })).rejects.toThrow('but is Symbol(s)')
    await expect(lock({ ttlMs: Object.create(null) })).rejects.toThrow('but is an object')
  })
})
