import { afterAll, beforeAll, expect } from 'vitest'
import { knexIdempotencyStore } from '../../src/entries/knex.ts'
import { pgIdempotencyStore } from '../../src/entries/pg.ts'
import { isStoreError } from '../../src/errors.ts'
import { findReplay } from '../../src/idempotency/find-replay.ts'
import type { TransactionalIdempotencyStore } from '../../src/idempotency/idempotency-store.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { onPostgres } from '../support/engines.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

type Open = (database: TestDatabase, table: string) => TransactionalIdempotencyStore<never>

const clients: readonly (readonly [string, Open])[] = [
  ['knex', (database, table) => knexIdempotencyStore({ knex: database.knex(), table }) as never],
  ['pg', (database, table) => pgIdempotencyStore({ pool: database.pool(), table }) as never],
  [
    'pg, pipelining',
    (database, table) => pgIdempotencyStore({ pool: database.pool({ pipeline: true }), table }) as never,
  ],
]

/** Types of a key column, keys that fit, and one that does not. */
const types = [
  {
    type: 'uuid',
    keys: ['7b52009b-64fd-4f2a-9d3f-0a1b2c3d4e5f', '7b52009b-64fd-4f2a-9d3f-0a1b2c3d4e60'],
    malformed: 'not-a-uuid',
  },
  { type: 'bigint', keys: ['1', '2'], malformed: '9223372036854775808' },
] as const

onPostgres.describe('keys in a column of another type', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await testDatabase()
    for (const { type } of types) {
      await database.sql.raw(`CREATE TABLE "${type}_keys" (LIKE idempotency_records INCLUDING ALL);
        ALTER TABLE "${type}_keys" ALTER idempotency_key TYPE ${type} USING idempotency_key::${type}`)
    }
  })
  afterAll(() => database.close())

  for (const [name, open] of clients) {
    for (const { type, keys, malformed } of types) {
      onPostgres.test(
        `X7: one malformed key fails its own lookup, and no other of its turn: ${type}, ${name}`,
        async () => {
          const store = open(database, `${type}_keys`)
          const scope = name
          for (const key of keys) await withIdempotency({ store, scope, key }, () => `result of ${key}`)
          const asked = [keys[0], malformed, keys[1], malformed]
          const found = await Promise.allSettled(asked.map((key) => findReplay({ store, scope, key })))
          expect(found).toMatchObject([
            { value: { found: true, result: `result of ${keys[0]}` } },
            { reason: { code: 'STORE_ERROR' } },
            { value: { found: true, result: `result of ${keys[1]}` } },
            { reason: { code: 'STORE_ERROR' } },
          ])
        },
      )
    }

    onPostgres.test(`X7: a table that is missing fails the turn with one statement: ${name}`, async () => {
      const store = open(database, 'no_such_table')
      const found = await Promise.allSettled(['a', 'b', 'c'].map((key) => findReplay({ store, key })))
      const reasons = found.map((outcome) => (outcome.status === 'rejected' ? outcome.reason : undefined))
      expect(reasons.every(isStoreError)).toBe(true)
      expect(new Set(reasons.map(({ cause }) => cause)).size).toBe(1)
    })
  }
})
