import { afterAll, beforeAll, beforeEach, expect } from 'vitest'
import { findReplay } from '../../src/idempotency/find-replay.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { optimisticUpdate } from '../../src/optimistic/optimistic-update.ts'
import { onPostgres } from '../support/engines.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'
import { clients } from '../support/postgres-clients.ts'

const { describe, test } = onPostgres

describe.each(clients)(
  'a connection that somebody gave back to its pool within a transaction, through %s',
  (_name, open) => {
    let database: TestDatabase
    beforeAll(async () => {
      database = await testDatabase()
    })
    afterAll(() => database.close())
    beforeEach(() => database.sql.raw('TRUNCATE idempotency_records; UPDATE accounts SET balance = 0, version = 1'))

    test('G9: an acknowledged update is stored', async () => {
      const process = open(database, { max: 1 })
      await process.ask('BEGIN')
      await optimisticUpdate({ store: process.accounts, id: 1 }, (account) => ({ ...account, balance: 5 }))
      const { rows } = await database.sql.raw('SELECT balance FROM accounts')
      expect(rows).toEqual([{ balance: 5 }])
    })

    test('G9: an acknowledged record is stored, and found', async () => {
      const process = open(database, { max: 1 })
      await process.ask('BEGIN')
      expect(await findReplay({ store: process.store, key: 'a' })).toEqual({ found: false })
      await process.ask('BEGIN')
      expect(await withIdempotency({ store: process.store, key: 'a' }, () => 'paid')).toBe('paid')
      expect(await database.count('idempotency_records')).toBe(1)
    })
  },
)
