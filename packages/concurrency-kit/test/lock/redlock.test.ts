import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { type Redlock5, redlockLockStore } from '../../src/entries/redlock.ts'
import { VERSIONS } from '../support/redlock.ts'

const nodes = Array.from({ length: 3 }, () => new Redis({ lazyConnect: true }))

describe.each(VERSIONS)('options of the lock store on %s', (_, redlockOn) => {
  test('an odd number of nodes serves, one too', () => {
    for (const count of [1, 3]) {
      const store = redlockLockStore({ redlock: redlockOn(nodes.slice(0, count)) })
      expect(store).toMatchObject({ name: 'redlock', fencing: false, acquiresOnce: true, commandMs: 2_000 })
    }
  })

  test('what cannot serve is refused, and named', () => {
    const redlock = redlockOn(nodes)
    const no = (value: unknown) => value as Redlock5
    expect(() => redlockLockStore({ redlock: no(undefined) })).toThrow(TypeError)
    expect(() => redlockLockStore({ redlock: no({ ...redlock }) })).toThrow('redlock.acquire must be a function')
    expect(() => redlockLockStore({ redlock: redlockOn([{}] as never) })).toThrow('evalsha must be a function')
    expect(() => redlockLockStore({ redlock, nodeMs: 2_001 })).toThrow('nodeMs must be a whole number from 1 to 2000')
    expect(() => redlockLockStore({ redlock, commandMs: 0 })).toThrow('commandMs must be a whole number from 1')
  })
})
