import type { Knex } from 'knex'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createTables, knexIdempotencyStore } from '../../src/entries/knex.ts'
import { isStoreError, isTransactionRetriesError } from '../../src/errors.ts'
import { findReplay } from '../../src/idempotency/find-replay.ts'
import type { TransactionalIdempotencyStore } from '../../src/idempotency/idempotency-store.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { sqliteFile } from '../support/sqlite.ts'

let database: ReturnType<typeof sqliteFile>
let knex: Knex
let store: TransactionalIdempotencyStore<Knex.Transaction>

beforeEach(async () => {
  database = sqliteFile()
  knex = database.connect()
  await createTables(knex, { idempotency: true })
  await knex.raw('CREATE TABLE effects (id INTEGER PRIMARY KEY, note TEXT UNIQUE NOT NULL)')
  store = knexIdempotencyStore({ knex })
})
afterEach(() => database.close())

const count = async (table: string) => (await knex.raw(`SELECT count(*) AS n FROM ${table}`))[0].n
const insert = (transaction: Knex.Transaction, note: string) =>
  transaction.raw('INSERT INTO effects (note) VALUES (?)', [note])
const busy = () => Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY' })

describe('the effect and its record are one transaction', () => {
  test('I3: a record that cannot be stored takes the effect back with it', async () => {
    const call = withIdempotency({ store, key: 'a' }, async ({ transaction }) => {
      await insert(transaction, 'effect')
      return { price: 1n } as unknown as { price: number }
    })
    await expect(call).rejects.toMatchObject({ code: 'RESULT_NOT_SERIALIZABLE', path: '$.price' })
    expect([await count('effects'), await count('idempotency_records')]).toEqual([0, 0])
  })

  test('C3, C8: a handler that fails leaves nothing, and the next call under its key runs', async () => {
    const call = (fails: boolean) =>
      withIdempotency({ store, key: 'a' }, async ({ transaction }) => {
        await insert(transaction, 'effect')
        if (fails) throw new Error('declined')
        return 'done'
      })
    await expect(call(true)).rejects.toThrow('declined')
    expect([await count('effects'), await count('idempotency_records')]).toEqual([0, 0])
    expect(await call(false)).toBe('done')
    expect([await count('effects'), await count('idempotency_records')]).toEqual([1, 1])
  })

  test('I10: the same payload under another key is another run', async () => {
    const call = (key: string) =>
      withIdempotency({ store, key, payload: { item: 1 } }, async ({ transaction }) => {
        await insert(transaction, key)
      })
    await call('order-1')
    await call('order-2')
    expect(await count('effects')).toBe(2)
  })

  test('I12: the keys of two scopes never meet', async () => {
    const call = (scope: string, result: number) =>
      withIdempotency({ store, key: 'a', scope, payload: result }, () => result)
    expect([await call('tenant-1', 1), await call('tenant-2', 2)]).toEqual([1, 2])
    expect(await findReplay({ store, key: 'a', scope: 'tenant-1', payload: 1 })).toEqual({ found: true, result: 1 })
    expect(await findReplay({ store, key: 'a', payload: 1 })).toEqual({ found: false })
  })
})

describe('S11: a handler cannot part the effect from its record', () => {
  test('an SQL error that it swallows does not make its call fail, and what it did is all there', async () => {
    await withIdempotency({ store, key: 'a' }, async ({ transaction }) => {
      await insert(transaction, 'once')
      await insert(transaction, 'once').catch(() => {})
    })
    expect([await count('effects'), await count('idempotency_records')]).toEqual([1, 1])
  })

  test.each(['commit', 'rollback'] as const)('%s of its own is refused', async (verb) => {
    const call = withIdempotency({ store, key: 'a' }, async ({ transaction }) => {
      await insert(transaction, 'effect')
      await transaction[verb]()
    })
    await expect(call).rejects.toThrow('a handler must not end its transaction')
    expect([await count('effects'), await count('idempotency_records')]).toEqual([0, 0])
  })

  test('a ROLLBACK of its own as text is found out by the last statement: the claim is gone', async () => {
    const call = withIdempotency({ store, key: 'a' }, async ({ transaction }) => {
      await transaction.raw('ROLLBACK')
    })
    expect(isStoreError(await call.catch((error) => error))).toBe(true)
    expect(await count('idempotency_records')).toBe(0)
  })
})

describe('what is run again', () => {
  test('I6: an error of the handler’s own is never taken for one of the database, whatever it looks like', async () => {
    let ran = 0
    const own = busy()
    const call = withIdempotency({ store, key: 'a' }, () => {
      ran += 1
      throw own
    })
    await expect(call).rejects.toBe(own)
    expect(ran).toBe(1)
  })

  test('S9: an insert that fails for another reason than its key comes through, once', async () => {
    await knex.raw("CREATE TRIGGER refuse BEFORE INSERT ON idempotency_records BEGIN SELECT RAISE(ABORT, 'quota'); END")
    const error = await withIdempotency({ store, key: 'a' }, () => 1).catch((caught) => caught)
    expect(isStoreError(error)).toBe(true)
    expect(error.cause.message).toContain('quota')
    expect(error.transient).toBe(false)
  })

  test('a statement that met another transaction: the whole attempt again, up to maxAttempts, even if it was swallowed', async () => {
    const attempts: number[] = []
    const call = (until: number) =>
      withIdempotency({ store, key: 'a', maxAttempts: 3 }, async ({ transaction, attempt }) => {
        attempts.push(attempt)
        await insert(transaction, `attempt ${attempt}`)
        if (attempt < until) transaction.emit('query-error', busy())
        return attempt
      })
    const error = await call(4).catch((caught) => caught)
    expect(isTransactionRetriesError(error)).toBe(true)
    expect(error).toMatchObject({ attempts: 3, cause: { code: 'SQLITE_BUSY' } })
    expect(await count('effects')).toBe(0)
    expect(await call(3)).toBe(3)
    expect(attempts).toEqual([1, 2, 3, 1, 2, 3])
    expect(await knex.raw('SELECT note FROM effects')).toEqual([{ note: 'attempt 3' }])
  })

  test('its signal ends the backing off, with its reason', async () => {
    const abort = new AbortController()
    const call = withIdempotency({ store, key: 'a', signal: abort.signal }, ({ transaction }) => {
      transaction.emit('query-error', busy())
      abort.abort('left')
    })
    await expect(call).rejects.toBe('left')
    expect(await count('idempotency_records')).toBe(0)
  })
})

describe('final errors', () => {
  class Declined extends Error {}
  const finalErrors = {
    encode: (error: unknown) => (error instanceof Declined ? error.message : undefined),
    decode: (text: string) => new Declined(text),
  }

  test('are stored and replayed, and their effects are undone; others leave no trace', async () => {
    const call = (error?: Error) =>
      withIdempotency({ store, key: 'a', finalErrors }, async ({ transaction }) => {
        await insert(transaction, 'effect')
        if (error !== undefined) throw error
      })
    await expect(call(new Error('passing'))).rejects.toThrow('passing')
    await expect(call(new Declined('insufficient balance'))).rejects.toThrow('insufficient balance')
    await expect(call()).rejects.toBeInstanceOf(Declined)
    await expect(findReplay({ store, key: 'a', finalErrors })).rejects.toThrow('insufficient balance')
    expect([await count('effects'), await count('idempotency_records')]).toEqual([0, 1])
  })
})

test('onReplay tells a replay from a first run', async () => {
  const seen: unknown[] = []
  const call = () => withIdempotency({ store, key: 'a', onReplay: (replay) => seen.push(replay) }, async () => 1)
  await Promise.all([call(), call()])
  await call()
  expect(seen).toEqual([{ joined: true }, { joined: false }])
})

test('C11: a call right behind the answer replays it, and finds it without waiting', async () => {
  for (let n = 0; n < 50; n += 1) {
    const key = `key-${n}`
    const first = await withIdempotency({ store, key }, () => ({ n }))
    expect(await findReplay({ store, key })).toEqual({ found: true, result: first })
    expect(await withIdempotency({ store, key }, () => expect.unreachable())).toEqual(first)
  }
})

test('I4: a handler that changes its input changes nothing for the next call', async () => {
  const payload = { items: [{ id: 1 }] }
  const call = () =>
    withIdempotency({ store, key: 'a', payload }, () => {
      payload.items[0] = { id: 2 }
      return 'done'
    })
  expect(await call()).toBe('done')
  expect(await withIdempotency({ store, key: 'a', payload: { items: [{ id: 1 }] } }, () => 'again')).toBe('done')
})
