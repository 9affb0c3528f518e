import Database from 'better-sqlite3'
import { events } from 'concurrency-kit'
import { expect, test } from 'vitest'
import { on } from '../src/metrics.ts'
import { composition } from './composition-suite.ts'
import { embedded } from './support/backing.ts'
import { charge } from './support/client.ts'
import { startTestServer } from './support/in-process.ts'

composition(embedded)

test('C1: a charge is committed before its lock is given up', async () => {
  const server = await startTestServer()
  const database = new Database(server.backing.env.DATABASE_URL?.replace('sqlite:', ''), { readonly: true })
  const completed = database
    .prepare("SELECT count(*) FROM charge_balance_idempotency WHERE status = 'COMPLETED'")
    .pluck()
  const balances = database.prepare('SELECT sum(balance) FROM users').pluck()
  const seen: unknown[] = []
  const end = on(events.lock.ended, () => seen.push([completed.get(), balances.get()]))
  await Promise.all(
    Array.from({ length: 20 }, (_, i) => charge(server.url, 1, { amount: 1, idempotencyKey: `ordered-${i}` })),
  )
  end()
  expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => [i + 1, i + 1]))
  database.close()
  await server.close()
})

test('S10: a row of transactions leaves turns of the event loop to everything else', async () => {
  const server = await startTestServer()
  let turns = 0
  let running = true
  const count = () => {
    turns += 1
    if (running) setImmediate(count)
  }
  const charges = Array.from({ length: 200 }, (_, i) =>
    charge(server.url, 1 + (i % 20), { amount: 1, idempotencyKey: `turn-${i}` }),
  )
  count()
  await Promise.all(charges)
  running = false
  expect(turns).toBeGreaterThanOrEqual(200)
  await server.close()
})
