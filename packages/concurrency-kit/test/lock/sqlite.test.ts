import { setTimeout } from 'node:timers/promises'
import type { Knex } from 'knex'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createTables, knexLockStore } from '../../src/entries/knex.ts'
import { isLeaseLostError } from '../../src/errors.ts'
import { acquireLock } from '../../src/lock/acquire-lock.ts'
import type { LockStore } from '../../src/lock/lock-store.ts'
import { withDistributedLock } from '../../src/lock/with-distributed-lock.ts'
import { sqliteFile } from '../support/sqlite.ts'

let database: ReturnType<typeof sqliteFile>
let knex: Knex
let store: LockStore<true>
/** The same file as another process has it. */
let other: LockStore<true>

beforeEach(async () => {
  database = sqliteFile()
  knex = database.connect()
  await createTables(knex, { locks: true })
  store = knexLockStore({ knex })
  other = knexLockStore({ knex: database.connect() })
})
afterEach(() => database.close())

const key = 'balance:user:1'

test('a listener is refused: SQLite announces nothing', () => {
  expect(() => knexLockStore({ knex, listener: {} as never })).toThrow('listener must not be given on SQLite')
})

test('a file that was made without the table of waiters is refused, by its name', async () => {
  await knex.raw('DROP TABLE locks_waiters')
  const cause = expect.objectContaining({ message: expect.stringContaining('no such table: locks_waiters') })
  await expect(withDistributedLock({ store, key }, () => {})).rejects.toMatchObject({ code: 'STORE_ERROR', cause })
  await createTables(knex, { locks: true })
  expect(await withDistributedLock({ store, key }, () => 'had')).toBe('had')
})

describe('fencing tokens', () => {
  test('L20: are exact past 2^53, and increase by one', async () => {
    await knex.raw('INSERT INTO locks_tokens (id, next_token) VALUES (1, 9107199254740993)')
    const tokens: bigint[] = []
    for (const process of [store, other, store]) {
      tokens.push(await withDistributedLock({ store: process, key }, (lease) => lease.fencingToken))
    }
    expect(tokens[0]).toBe(9_107_199_254_740_993n)
    for (const [index, token] of tokens.slice(1).entries()) expect(token).toBeGreaterThan(tokens[index] as bigint)
  })

  test('L20: go on above what was given when the counter is lost', async () => {
    const before = await withDistributedLock({ store, key }, (lease) => lease.fencingToken)
    await knex.raw('DELETE FROM locks_tokens')
    expect(await withDistributedLock({ store: other, key }, (lease) => lease.fencingToken)).toBeGreaterThan(before)
  })
})

describe('two processes on one file', () => {
  test('exclude each other, while counting without a version check', async () => {
    let count = 0
    const increments = [store, other].map(async (process) => {
      for (let n = 0; n < 10; n += 1) {
        await withDistributedLock({ store: process, key, waitMs: 20_000 }, async () => {
          const read = count
          await setTimeout(1)
          count = read + 1
        })
      }
    })
    await Promise.all(increments)
    expect(count).toBe(20)
  })

  test('C5: work longer than its lease keeps the lock: the lease is renewed', async () => {
    await withDistributedLock({ store, key, ttlMs: 150 }, async (lease) => {
      const refused = withDistributedLock({ store: other, key, waitMs: 500 }, () => expect.unreachable())
      await expect(refused).rejects.toMatchObject({ code: 'LOCK_UNAVAILABLE' })
      lease.assertHeld()
    })
  })

  test('L12, L13: a lease ends by the database’s clock, and its former holder frees nothing of the next one’s', async () => {
    const stale = await acquireLock({ store, key, ttlMs: 60_000 })
    await knex.raw('UPDATE locks SET ends_at_ms = 0')
    const next = await acquireLock({ store: other, key })
    expect(next.fencingToken).toBeGreaterThan(stale.fencingToken)
    await stale.release()
    await expect(withDistributedLock({ store, key, waitMs: 0 }, () => 1)).rejects.toMatchObject({
      code: 'LOCK_UNAVAILABLE',
    })
    await next.release()
    expect(await knex.raw('SELECT * FROM locks')).toEqual([])
  })

  test('L14: a holder that was taken over learns of it by its next renewal', async () => {
    const stale = await acquireLock({ store, key, ttlMs: 90 })
    await knex.raw('UPDATE locks SET holder = ?', ['another'])
    await new Promise<void>((resolve) => stale.signal.addEventListener('abort', () => resolve()))
    expect(isLeaseLostError(stale.signal.reason)).toBe(true)
    expect(await knex.raw('SELECT holder FROM locks')).toEqual([{ holder: 'another' }])
  })

  test('S10: a file that another process writes is waited for, with the event loop running', async () => {
    const rival = database.connect()
    await rival.raw('BEGIN IMMEDIATE')
    const call = withDistributedLock({ store, key }, () => 'done')
    for (let turn = 0; turn < 5; turn += 1) expect((await knex.raw('SELECT 1 AS one'))[0].one).toBe(1)
    await rival.raw('COMMIT')
    expect(await call).toBe('done')
  })
})
