import { setImmediate } from 'node:timers/promises'
import { afterAll, beforeAll, expect } from 'vitest'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { onPostgres } from '../support/engines.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'
import { clients } from '../support/postgres-clients.ts'
import { postgresPlaces } from '../support/transaction-places.ts'
import { proveStatementsLeftBehind } from './statements-left-behind.ts'

onPostgres.describe.each(postgresPlaces)('records on Postgres through %s', (name, open) => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await testDatabase()
  })
  afterAll(() => database.close())

  proveStatementsLeftBehind(onPostgres, name, () => open(database)())
})

onPostgres.describe('attempts that share a transaction', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await testDatabase()
  })
  afterAll(() => database.close())

  onPostgres.test('G7: one that has settled while another still runs cannot send any more', async () => {
    const open = clients.find(([name]) => name === 'pg, group commit')?.[1]
    if (open === undefined) expect.unreachable()
    const { store, query } = open(database)
    const late = Promise.withResolvers<unknown>()
    const first = withIdempotency({ store, key: 'goes alone' }, () => 'done')
    const settled = withIdempotency({ store, key: 'settled' }, ({ transaction }) => {
      const work = query(transaction, "INSERT INTO effects (note) VALUES ('in time')").then(() => 'done')
      const soon = work.then(() => setImmediate())
      late.resolve(
        soon
          .then(() => query(transaction, "INSERT INTO effects (note) VALUES ('late')"))
          .catch((error: unknown) => error),
      )
      return work
    })
    const running = withIdempotency({ store, key: 'still runs' }, async () => {
      await late.promise
      return 'done'
    })
    expect(await Promise.all([first, settled, running])).toEqual(['done', 'done', 'done'])
    expect(await late.promise).toMatchObject({ code: 'STORE_ERROR', message: expect.stringMatching(/over|settled/) })
    const { rows } = await database.sql.raw('SELECT note FROM effects')
    expect(rows).toEqual([{ note: 'in time' }])
  })
})
