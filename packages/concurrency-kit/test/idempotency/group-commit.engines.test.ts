import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout } from 'node:timers/promises'
import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect } from 'vitest'
import { pgIdempotencyStore, pgVersionedStore } from '../../src/entries/pg.ts'
import type { TransactionalContext } from '../../src/idempotency/transactional-run.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { optimisticUpdate } from '../../src/optimistic/optimistic-update.ts'
import { onPostgres } from '../support/engines.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'
import type { Account } from '../support/postgres-clients.ts'

const { describe, test } = onPostgres

type Context = TransactionalContext<pg.PoolClient>

describe('attempts that share a transaction', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await testDatabase()
  })
  afterAll(() => database.close())
  beforeEach(async () => {
    await database.sql.raw('TRUNCATE idempotency_records, effects')
  })

  const open = (options: pg.PoolConfig = {}) =>
    pgIdempotencyStore({ pool: database.pool({ pipeline: true, ...options }), groupCommit: true, commandMs: 500 })
  /** Notes its key as an effect, and says which transaction it was in. */
  const note =
    (key: string) =>
    async ({ transaction }: Context) => {
      const { rows } = await transaction.query({
        text: 'INSERT INTO effects (note) VALUES ($1) RETURNING pg_current_xact_id()::text AS id',
        values: [key],
      })
      return String(rows[0].id)
    }
  const keys = Array.from({ length: 12 }, (_, number) => `key ${number}`)
  const effects = async (): Promise<string[]> =>
    (await database.sql.raw('SELECT note FROM effects')).rows.map((row: { note: string }) => row.note).sort()
  const settled = async () => {
    const { rows } = await database.sql.raw('SELECT DISTINCT status FROM idempotency_records')
    expect(rows).toEqual([{ status: 'completed' }])
  }
  /** Runs `handlers` at the same time, each under its own key. */
  const together = (store: ReturnType<typeof open>, handlers: Record<string, (context: Context) => Promise<string>>) =>
    Promise.allSettled(Object.entries(handlers).map(([key, handler]) => withIdempotency({ store, key }, handler)))
  const all = (over: Record<string, (context: Context) => Promise<string>> = {}) =>
    Object.fromEntries(keys.map((key) => [key, over[key] ?? note(key)]))

  const transactionsOf = (outcomes: readonly PromiseSettledResult<string>[]) =>
    new Set(outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : [])))

  test('are few, each has its own result, and a repeated call has it too', async () => {
    const store = open()
    const transactions = await Promise.all(keys.map((key) => withIdempotency({ store, key }, note(key))))
    // The first of all goes at once, and the others are in the next.
    expect(new Set(transactions).size).toBe(2)
    expect(await effects()).toEqual([...keys].sort())
    await settled()
    const again = await Promise.all(keys.map((key) => withIdempotency({ store: open(), key }, note(key))))
    expect(again).toEqual(transactions)
  })

  test('are many, and come while others are under way: each has its effect once', async () => {
    const store = open()
    const many = Array.from({ length: 300 }, (_, number) => `many ${number}`)
    await Promise.all(
      many.map(async (key, number) => {
        await setTimeout(number % 7)
        return withIdempotency({ store, key }, note(key))
      }),
    )
    expect(await effects()).toEqual([...many].sort())
    await settled()
  })

  test('one that throws is rolled back alone: the others have run again', async () => {
    const mine = new Error('insufficient balance')
    const refuse = async (context: Context) => {
      await note('never')(context)
      throw mine
    }
    const outcomes = await together(open(), all({ 'key 3': refuse }))
    expect(outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason : 'done'))).toEqual(
      keys.map((key) => (key === 'key 3' ? mine : 'done')),
    )
    expect(transactionsOf(outcomes).size).toBe(keys.length - 1)
    expect(await effects()).toEqual(keys.filter((key) => key !== 'key 3').sort())
    await settled()
  })

  test('S11: one whose statement fails is told of it, whether it throws or goes on; the others are done', async () => {
    await database.sql.raw("INSERT INTO effects (note) VALUES ('taken')")
    const goesOn = async (context: Context) => {
      await note('taken')(context).catch(() => {})
      return 'went on'
    }
    const outcomes = await together(open(), all({ 'key 1': note('taken'), 'key 8': goesOn }))
    const rejected = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
    expect(transactionsOf(outcomes).size).toBe(keys.length - 2)
    expect(rejected).toMatchObject([{ code: '23505' }, { code: 'STORE_ERROR', cause: { code: '23505' } }])
    expect(await effects()).toEqual([...keys.filter((key) => key !== 'key 1' && key !== 'key 8'), 'taken'].sort())
    await settled()
  })

  test('one that is slow does not keep the others, and has its effect once', async () => {
    let runs = 0
    let othersDone = false
    const slow = async (context: Context) => {
      runs += 1
      if (runs === 1) while (!othersDone) await setTimeout(5)
      return note('slow')(context)
    }
    const store = open()
    const others = keys.map((key) => withIdempotency({ store, key }, note(key)))
    const waiting = withIdempotency({ store, key: 'slow' }, slow)
    await Promise.all(others)
    othersDone = true
    await waiting
    expect(runs).toBe(2)
    expect(await effects()).toEqual([...keys, 'slow'].sort())
    await settled()
  })

  test('one whose key another process has waits alone, and gets the other’s answer', async () => {
    const inside = Promise.withResolvers<void>()
    const mayEnd = Promise.withResolvers<void>()
    const rival = withIdempotency({ store: open(), key: 'key 5' }, async (context) => {
      inside.resolve()
      await mayEnd.promise
      return `rival’s ${await note('key 5')(context)}`
    })
    await inside.promise
    const store = open()
    const mine = keys.map((key) => withIdempotency({ store, key }, note(key)))
    await Promise.all(mine.filter((_, number) => number !== 5))
    mayEnd.resolve()
    expect(await mine[5]).toBe(await rival)
    expect(await effects()).toEqual([...keys].sort())
    await settled()
  })

  test.each(['request', 'reply'] as const)('C9, I3: the COMMIT’s %s is lost: each effect once', async (lost) => {
    for (const fault of ['cut', 'swallow'] as const) {
      const { line, url } = await database.line()
      const store = open({ connectionString: url })
      await Promise.all(
        ['a', 'b', 'c'].map((key) => withIdempotency({ store, key }, async () => 'so that the next share')),
      )
      const sprung = lost === 'request' ? line.next('request', 'COMMIT', fault) : line.nextReplyTo('COMMIT', fault)
      const named = keys.map((key) => `${fault} ${key}`)
      const answers = await Promise.all(named.map((key) => withIdempotency({ store, key }, note(key))))
      await sprung
      const again = await Promise.all(named.map((key) => withIdempotency({ store: open(), key }, note(key))))
      expect(again).toEqual(answers)
    }
    expect(await effects()).toEqual([...keys.map((key) => `cut ${key}`), ...keys.map((key) => `swallow ${key}`)].sort())
    await settled()
  })

  test('the backend is terminated: all run again, each effect once', async () => {
    let terminated = false
    const terminate = async (context: Context) => {
      const { rows } = await context.transaction.query({ text: 'SELECT pg_backend_pid() AS pid' })
      if (!terminated) await database.sql.raw('SELECT pg_terminate_backend(?)', [rows[0].pid])
      terminated = true
      return note('key 2')(context)
    }
    const outcomes = await together(open(), all({ 'key 2': terminate }))
    expect(outcomes.map(({ status }) => status)).toEqual(keys.map(() => 'fulfilled'))
    expect(await effects()).toEqual([...keys].sort())
    await settled()
  })

  test('two on one row are no conflict for their callers, and none is lost', async () => {
    await database.sql.raw('UPDATE accounts SET balance = 0, version = 1')
    const pool = database.pool({ pipeline: true })
    const accounts = pgVersionedStore<Account>({ pool, table: 'accounts' })
    const store = pgIdempotencyStore({ pool, groupCommit: true })
    const balances = await Promise.all(
      keys.map((key) =>
        withIdempotency({ store, key }, async ({ transaction }) => {
          const change = (account: Account) => ({ ...account, balance: account.balance + 1 })
          return (await optimisticUpdate({ store: accounts.within(transaction), id: 1 }, change)).balance
        }),
      ),
    )
    expect(balances.sort((a, b) => a - b)).toEqual(keys.map((_, number) => number + 1))
  })

  test('each handler runs in the asynchronous context of its own caller', async () => {
    const caller = new AsyncLocalStorage<string>()
    const store = open()
    const seen = keys.map((key) =>
      caller.run(key, () => withIdempotency({ store, key }, async () => caller.getStore() ?? 'nobody’s')),
    )
    expect(await Promise.all(seen)).toEqual(keys)
  })

  test('one that has given up by then is not run', async () => {
    const store = open()
    const caller = new AbortController()
    const others = keys.map((key) => withIdempotency({ store, key }, note(key)))
    const gone = withIdempotency({ store, key: 'gone', signal: caller.signal }, note('gone'))
    caller.abort(new Error('enough'))
    await expect(gone).rejects.toThrow('enough')
    await Promise.all(others)
    expect(await effects()).toEqual([...keys].sort())
  })

  test('do so only where the client pipelines; the option is checked', async () => {
    const store = open({ pipeline: false })
    const transactions = await Promise.all(keys.map((key) => withIdempotency({ store, key }, note(key))))
    expect(new Set(transactions).size).toBe(keys.length)
    const pool = database.pool()
    expect(() => pgIdempotencyStore({ pool, groupCommit: 'yes' as never })).toThrow('groupCommit must be one of')
  })
})
