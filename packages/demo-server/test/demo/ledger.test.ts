import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Sqlite from 'better-sqlite3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSqlite } from '../../src/database/sqlite.ts'
import { audit, type Ledger, sqliteLedger } from '../../src/demo/ledger.ts'

let folder: string
let ledger: Ledger
let change: (sql: string) => void

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'concurrency-kit-ledger-'))
  const file = path.join(folder, 'demo.db')
  ledger = sqliteLedger(file)
  const database = await openSqlite(file, { versionCheck: true })
  await database.prepareSchema(2)
  await database.close()
  change = (sql) => {
    const connection = new Sqlite(file)
    connection.exec(sql)
    connection.close()
  }
  change('UPDATE users SET balance = 500 WHERE id = 1')
})
afterEach(() => rmSync(folder, { recursive: true }))

const charge = { key: 'k-1', userId: 1, amount: 100, balance: 600 }

function record({ key, userId, amount, balance }: typeof charge, status = 'COMPLETED'): string {
  const response = JSON.stringify({ userId, balance, chargedAmount: amount })
  return `INSERT INTO charge_balance_idempotency VALUES
    ('${key}', 'f', '${status}', ${userId}, ${amount}, '${response}', '2026-01-01', '2027-01-01');
    UPDATE users SET balance = balance + ${amount} WHERE id = ${userId};`
}

test('what was acknowledged, recorded and booked agrees', async () => {
  const starting = await ledger.balances()
  change(record(charge))
  expect(await audit(ledger, starting, [charge, charge])).toEqual({
    acknowledgedKeys: 1,
    unrecorded: 0,
    completed: 1,
    sumOfCompleted: 100,
    sumOfGains: 100,
    wrongBalances: 0,
  })
})

test('an acknowledged charge without its record, or with another answer in it, is seen', async () => {
  const starting = await ledger.balances()
  change(record(charge))
  const lost = { ...charge, key: 'k-2' }
  const different = { ...charge, balance: 700 }
  expect((await audit(ledger, starting, [charge, lost])).unrecorded).toBe(1)
  expect((await audit(ledger, starting, [different])).unrecorded).toBe(1)
})

test('money without a record, and a record without money, are seen, even where the sums agree', async () => {
  const starting = await ledger.balances()
  change(record(charge))
  change('UPDATE users SET balance = balance - 100 WHERE id = 1; UPDATE users SET balance = balance + 100 WHERE id = 2')
  const seen = await audit(ledger, starting, [charge])
  expect(seen.sumOfGains).toBe(seen.sumOfCompleted)
  expect(seen.wrongBalances).toBe(2)
})

test('a record that is not COMPLETED is none', async () => {
  const starting = await ledger.balances()
  change(record(charge, 'IN_PROGRESS'))
  expect(await audit(ledger, starting, [charge])).toMatchObject({
    unrecorded: 1,
    completed: 0,
    sumOfGains: 100,
    wrongBalances: 1,
  })
})
