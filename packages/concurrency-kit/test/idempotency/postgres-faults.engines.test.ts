import { afterAll, beforeAll, beforeEach, expect } from 'vitest'
import { knexLeasedIdempotencyStore } from '../../src/entries/knex.ts'
import { isIdempotencyInProgressError, isStoreError } from '../../src/errors.ts'
import { findReplay } from '../../src/idempotency/find-replay.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { onPostgres } from '../support/engines.ts'
import type { FaultyLine } from '../support/faulty-line.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'
import { clients, credit, type Process } from '../support/postgres-clients.ts'

const { describe, test } = onPostgres

/** What each message of a charge has in it, in order. */
const MESSAGES = [
  'BEGIN',
  'INSERT INTO "idempotency_records"',
  'SELECT * FROM "accounts"',
  'UPDATE "accounts"',
  'SET "status"',
  'COMMIT',
]

describe.each(clients)('faults between records and Postgres, through %s', (_name, open) => {
  let database: TestDatabase
  let line: FaultyLine
  let url: string
  let unreliable: Process<unknown>
  let ran: number
  beforeAll(async () => {
    database = await testDatabase()
  })
  afterAll(() => database.close())
  beforeEach(async () => {
    await database.sql.raw('TRUNCATE idempotency_records; UPDATE accounts SET balance = 0, version = 1')
    ;({ line, url } = await database.line())
    unreliable = open(database, { url, commandMs: 400 })
    ran = 0
  })

  const charge = (process: Process<unknown>, key: string, waitMs = 5_000) =>
    withIdempotency({ store: process.store, key, waitMs }, async ({ transaction }) => {
      ran += 1
      return credit(process, transaction)
    })
  const balance = async () => (await database.sql.raw('SELECT balance FROM accounts')).rows[0].balance
  const completed = async () =>
    (await database.sql.raw("SELECT count(*)::int AS n FROM idempotency_records WHERE status = 'completed'")).rows[0].n
  /** No transaction is left open on the server, and none of its rows. */
  const settled = async () => {
    await expect
      .poll(async () => {
        const { rows } = await database.sql.raw(
          "SELECT count(*)::int AS n FROM pg_stat_activity WHERE state LIKE 'idle in%' AND datname = current_database()",
        )
        return rows[0].n
      })
      .toBe(0)
    expect(await completed()).toBe(await database.count('idempotency_records'))
  }

  test.each(MESSAGES)('C9: the connection is cut at %s: charged once, whether or not it was heard', async (text) => {
    for (const [before, fault] of ['request', 'reply'].entries()) {
      const keys = before + 1
      const key = `key ${keys}`
      const sprung = fault === 'request' ? line.next('request', text, 'cut') : line.nextReplyTo(text, 'cut')
      const answer = await charge(unreliable, key)
      await sprung
      expect(answer.balance).toBe(keys)
      expect(await charge(open(database), key)).toEqual(answer)
      expect([await balance(), await completed()]).toEqual([keys, keys])
      // A pool that has met the fault prepares its statements anew, so that the next one meets it too.
      unreliable = open(database, { url, commandMs: 400 })
    }
    await settled()
  })

  test('I3: the reply to COMMIT is lost: charged once, and the same answer, as of a first run', async () => {
    for (const fault of ['cut', 'halve', 'swallow'] as const) {
      const key = `fault: ${fault}`
      const before = ran
      const sprung = line.nextReplyTo('COMMIT', fault)
      let replays = 0
      const call = { store: unreliable.store, key, onReplay: () => (replays += 1) }
      const answer = await withIdempotency(call, async ({ transaction }) => {
        ran += 1
        return credit(unreliable, transaction)
      })
      await sprung
      expect([ran - before, replays]).toEqual([1, 0])
      expect(await findReplay({ store: unreliable.store, key })).toEqual({ found: true, result: answer })
    }
    expect([await balance(), await completed()]).toEqual([3, 3])
    await settled()
  })

  test('a COMMIT that was lost on its way has not happened: the attempt is run again, once', async () => {
    const sprung = line.next('request', 'COMMIT', 'swallow')
    expect((await charge(unreliable, 'a')).balance).toBe(1)
    await sprung
    expect([ran, await balance(), await completed()]).toEqual([2, 1, 1])
    await settled()
  })

  test('after a COMMIT that was not answered nothing is told as if nothing had happened', async () => {
    void line.nextReplyTo('COMMIT', 'cut').then(() => line.refuse(true))
    await expect(charge(unreliable, 'a')).rejects.toMatchObject({
      code: 'AMBIGUOUS_OUTCOME',
      cause: { code: 'STORE_ERROR' },
    })
    line.refuse(false)
    expect((await charge(unreliable, 'a')).balance).toBe(1)
    expect([ran, await balance()]).toEqual([1, 1])
  })

  test('C9: the backend is terminated while the handler runs: nothing happened, and it is run again', async () => {
    const terminate = (pid: unknown) => database.sql.raw('SELECT pg_terminate_backend(?)', [Number(pid)])
    for (const [point, key] of ['before', 'after'].entries()) {
      const answer = await withIdempotency({ store: unreliable.store, key }, async ({ transaction, attempt }) => {
        const [row] = await unreliable.query(transaction, 'SELECT pg_backend_pid() AS pid')
        if (attempt === 1 && key === 'before') await terminate(row?.['pid'])
        const account = await credit(unreliable, transaction)
        if (attempt === 1 && key === 'after') await terminate(row?.['pid'])
        return account
      })
      expect(answer.balance).toBe(point + 1)
    }
    expect([await balance(), await completed()]).toEqual([2, 2])
    await settled()
  })

  test('connections of the pool that the server has closed meanwhile are no failure', async () => {
    await Promise.all([charge(unreliable, 'a'), charge(unreliable, 'b')])
    await database.sql.raw(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'idle'",
    )
    expect((await charge(unreliable, 'c')).balance).toBe(3)
  })

  test('I13: a server that hangs ends in a StoreError within the deadline, wherever it begins to', async () => {
    await charge(unreliable, 'warm')
    for (const text of ['', 'SET "status"']) {
      if (text === '') line.stall()
      const call = withIdempotency({ store: unreliable.store, key: 'a', waitMs: 100 }, ({ transaction }) => {
        ran += 1
        const account = credit(unreliable, transaction)
        return account.finally(() => line.stall())
      })
      const startedMs = performance.now()
      const error = await call.catch((caught) => caught)
      // An attempt's own COMMIT may have been under way.
      expect(['STORE_ERROR', 'AMBIGUOUS_OUTCOME']).toContain(error.code)
      expect(performance.now() - startedMs).toBeLessThan(2_500)
      expect(await findReplay({ store: unreliable.store, key: 'b' }).catch(isStoreError)).toBe(true)
      line.resume()
      unreliable = open(database, { url, commandMs: 400 })
    }
    expect((await charge(open(database), 'a')).balance).toBe(2)
    await settled()
  })

  test('a half-open connection is given up with the statement that it left unanswered: the next has another', async () => {
    const single = open(database, { url, max: 1, commandMs: 200 })
    const find = () => findReplay({ store: single.store, key: 'a' })
    await find()
    line.halfOpen()
    await expect(find()).rejects.toSatisfy(isStoreError)
    expect(await find()).toEqual({ found: false })
  })

  test('a rival that vanished without a word keeps its key no longer than its connection', async () => {
    const lost = withIdempotency({ store: unreliable.store, key: 'a' }, async () => {
      line.stall()
      await new Promise((resolve) => setTimeout(resolve, 30))
      throw new Error('gone')
    })
    await expect(lost).rejects.toThrow('gone')
    line.cutAll()
    line.resume()
    const outcome = await charge(open(database), 'a').catch((error) => error)
    expect(isIdempotencyInProgressError(outcome) || outcome.balance === 1).toBe(true)
    await settled()
  })
})

describe('faults between leased records and Postgres', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await testDatabase()
  })
  afterAll(() => database.close())

  async function warmedUp() {
    const { line, url } = await database.line()
    const knex = database.knex({ connectionString: url, max: 1 })
    const store = knexLeasedIdempotencyStore({ knex, commandMs: 200 })
    await findReplay({ store, key: 'a' })
    return { line, store }
  }

  test('a command without an answer ends after commandMs, and its connection with it', async () => {
    const { line, store } = await warmedUp()
    line.halfOpen()
    const startedMs = performance.now()
    await expect(findReplay({ store, key: 'a' })).rejects.toSatisfy(isStoreError)
    expect(performance.now() - startedMs).toBeLessThan(1_500)
    const call = { store, key: 'a', onAmbiguous: 'refuse' } as const
    expect(await withIdempotency(call, async () => 'charged')).toBe('charged')
  })

  test('the caller’s signal ends the wait at once, with its own reason; the connection goes when its deadline comes', async () => {
    const { line, store } = await warmedUp()
    line.halfOpen()
    const own = new Error('enough')
    await expect(findReplay({ store, key: 'b', signal: AbortSignal.abort(own) })).rejects.toBe(own)
    const caller = new AbortController()
    const call = store.find({ key: 'b', scope: '', signal: caller.signal })
    const outcome = expect(call).rejects.toMatchObject({ cause: own })
    caller.abort(own)
    await outcome
    await expect.poll(() => findReplay({ store, key: 'b' }).catch(() => undefined)).toEqual({ found: false })
  })

  test('commandMs is checked', () => {
    const knex = database.knex()
    expect(() => knexLeasedIdempotencyStore({ knex, commandMs: 0 })).toThrow(RangeError)
  })
})
