import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { afterAll, beforeAll, expect } from 'vitest'
import { pgIdempotencyStore, pgVersionedStore } from '../../src/entries/pg.ts'
import { findReplay } from '../../src/idempotency/find-replay.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { optimisticUpdate } from '../../src/optimistic/optimistic-update.ts'
import { onPostgres } from '../support/engines.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'
import type { Account } from '../support/postgres-clients.ts'
import { noteWhatIsSent, type Sent } from '../support/round-trips.ts'

const { describe, test } = onPostgres

describe('what a charge through pg sends', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await testDatabase()
  })
  afterAll(() => database.close())

  test.each([
    [false, { charge: 6, replay: 4 }],
    [true, { charge: 4, replay: 3 }],
  ] as const)('pipelining: %s: %o round trips, once its statements are prepared', async (pipeline, expected) => {
    const pool = database.pool({ pipeline, max: 1 })
    const sent = { roundTrips: 0, texts: [] }
    pool.on('connect', (client) => noteWhatIsSent(client, sent))
    const store = pgIdempotencyStore({ pool })
    const accounts = pgVersionedStore<Account>({ pool, table: 'accounts' })
    const charge = async (key: string) => {
      sent.roundTrips = 0
      await withIdempotency({ store, key: `${key} ${pipeline}` }, ({ transaction }) =>
        optimisticUpdate({ store: accounts.within(transaction), id: 1 }, (account) => ({
          ...account,
          balance: account.balance + 1,
        })),
      )
      return sent.roundTrips
    }
    await charge('warm')
    expect({ charge: await charge('a'), replay: await charge('a') }).toEqual(expected)
  })

  test.each([false, true])(
    'I1: a thousand callers of one key issue one transaction; group commit: %s',
    async (groupCommit) => {
      const pool = database.pool({ pipeline: true, max: 10 } as pg.PoolConfig)
      const sent: Sent = { roundTrips: 0, texts: [] }
      pool.on('connect', (client) => noteWhatIsSent(client, sent))
      const store = pgIdempotencyStore({ pool, groupCommit })
      const call = () => withIdempotency({ store, key: `joined ${groupCommit}` }, ({ attempt }) => `attempt ${attempt}`)
      const answers = await Promise.all(Array.from({ length: 1_000 }, call))
      expect(new Set(answers)).toEqual(new Set(['attempt 1']))
      expect(sent.texts.map((text) => text.split(/[\s;]/)[0])).toEqual(['BEGIN', 'INSERT', 'WITH', 'COMMIT'])
    },
  )

  test('records that are looked up in one round of the event loop are one statement a scope, and each finds its own', async () => {
    const pool = database.pool({ max: 1 })
    const store = pgIdempotencyStore({ pool })
    const keys = ['a', 'b,"{}', '한글', "'"]
    for (const key of keys) await withIdempotency({ store, key: `many ${key}`, scope: 'one' }, () => `result of ${key}`)
    const sent = { roundTrips: 0, texts: [] }
    const client = await pool.connect()
    noteWhatIsSent(client, sent)
    client.release()
    const lookUp = (key: string, scope: string) => findReplay({ store, key: `many ${key}`, scope })
    const found = await Promise.all(['absent', ...keys].flatMap((key) => [lookUp(key, 'one'), lookUp(key, 'two')]))
    const results = found.map((replay) => (replay.found ? replay.result : undefined))
    expect(results).toEqual([undefined, undefined, ...keys.flatMap((key) => [`result of ${key}`, undefined])])
    expect(sent.texts).toHaveLength(2)
  })

  test('a key that its column spells otherwise is found all the same', async () => {
    await database.sql.raw(`CREATE TABLE respelt (idempotency_key uuid UNIQUE NOT NULL, fingerprint text NOT NULL,
      status text NOT NULL, result text, created_at timestamptz NOT NULL, expires_at timestamptz NOT NULL)`)
    const columns = { scope: null, outcome: null }
    const store = pgIdempotencyStore({ pool: database.pool(), table: 'respelt', columns })
    const [first, second] = [randomUUID().toUpperCase(), randomUUID()] as const
    for (const key of [first, second]) await withIdempotency({ store, key }, () => key)
    const found = await Promise.all([first, second, randomUUID()].map((key) => findReplay({ store, key })))
    expect(found).toEqual([{ found: true, result: first }, { found: true, result: second }, { found: false }])
  })

  test('a table of the caller’s own: its names, its words, and columns out of the payload', async () => {
    await database.sql.raw(`CREATE TABLE charges (idempotency_key text UNIQUE NOT NULL, request_hash text NOT NULL,
      status text NOT NULL, user_id bigint NOT NULL, amount numeric NOT NULL, response text, created_at timestamp NOT NULL, expires_at timestamptz NOT NULL)`)
    const store = pgIdempotencyStore({
      pool: database.pool(),
      table: 'charges',
      columns: { scope: null, outcome: null, fingerprint: 'request_hash', result: 'response' },
      statusWords: { inProgress: 'PROCESSING', completed: 'COMPLETED' },
      extraColumns: ({ userId, amount }: { userId: number; amount: number }) => ({ user_id: userId, amount }),
    })
    const payload = { userId: 7, amount: 9_007_199_254_740_991 }
    const call = () => withIdempotency({ store, key: 'a', payload }, () => 'charged')
    expect([await call(), await call()]).toEqual(['charged', 'charged'])
    const { rows } = await database.sql.raw('SELECT status, user_id, amount, response FROM charges')
    expect(rows).toEqual([{ status: 'COMPLETED', user_id: '7', amount: '9007199254740991', response: '"charged"' }])
    await expect(withIdempotency({ store, key: 'b', scope: 's', payload }, () => 1)).rejects.toThrow(
      'scope must not be given',
    )
  })
})
