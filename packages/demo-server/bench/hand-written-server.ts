/**
 * The charge as a careful engineer writes it without the kit, to measure against: fastify, better-sqlite3, a queue per
 * user in the process, and one transaction for record and balance. Log lines and durability are the demo server's.
 */
import Sqlite from 'better-sqlite3'
import {
  balanceTooLarge,
  inTurn,
  log,
  type Outcome,
  RETENTION_MS,
  replayOf,
  type StoredCharge,
  serve,
  userUnknown,
} from './charge-http.ts'

const database = openDatabase(
  process.env.DATABASE_FILE ?? 'data/hand-written.db',
  Number(process.env.SEED_USERS ?? 1000),
)

const findRecord = database.prepare<[string, string], StoredCharge>(
  'SELECT user_id, amount, response FROM charge_balance_idempotency WHERE idempotency_key = ? AND expires_at > ?',
)
const insertRecord = database.prepare(
  `INSERT OR REPLACE INTO charge_balance_idempotency
   (idempotency_key, status, user_id, amount, response, created_at, expires_at) VALUES (?, 'COMPLETED', ?, ?, ?, ?, ?)`,
)
const credit = database.prepare<[number, number], { balance: number }>(
  'UPDATE users SET balance = balance + ?, version = version + 1 WHERE id = ? RETURNING balance',
)
const readBalance = database.prepare<[number], { balance: number }>('SELECT balance FROM users WHERE id = ?')

const charge = database.transaction((userId: number, amount: number, key: string): Outcome => {
  const now = Date.now()
  const chargedAt = new Date(now).toISOString()
  const earlier = findRecord.get(key, chargedAt)
  if (earlier) return replayOf(earlier, userId, amount)
  const account = readBalance.get(userId)
  if (!account) return { refused: userUnknown() }
  if (!Number.isSafeInteger(account.balance + amount)) {
    return { refused: balanceTooLarge() }
  }
  const balance = credit.get(amount, userId)?.balance
  const response = JSON.stringify({ userId, balance, chargedAmount: amount, chargedAt })
  insertRecord.run(key, userId, amount, response, chargedAt, new Date(now + RETENTION_MS).toISOString())
  return { charged: response }
})

function openDatabase(file: string, users: number): Sqlite.Database {
  const opened = new Sqlite(file)
  opened.pragma('journal_mode = WAL')
  opened.pragma('synchronous = FULL')
  opened.exec(`
    CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL, version INTEGER NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS charge_balance_idempotency (
      idempotency_key TEXT NOT NULL UNIQUE, status TEXT NOT NULL, user_id INTEGER NOT NULL, amount INTEGER NOT NULL,
      response TEXT NOT NULL, created_at TEXT NOT NULL, expires_at TEXT NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS charge_balance_idempotency_expires_at ON charge_balance_idempotency (expires_at);`)
  const insert = opened.prepare('INSERT OR IGNORE INTO users (id, balance, version) VALUES (?, 0, 1)')
  opened.transaction(() => {
    for (let id = 1; id <= users; id++) insert.run(id)
  })()
  return opened
}

await serve(
  (userId, amount, key) =>
    inTurn(userId, () => {
      log.info(`Distributed lock acquired: balance:user:${userId}`)
      return charge.immediate(userId, amount, key)
    }),
  () => database.close(),
)
