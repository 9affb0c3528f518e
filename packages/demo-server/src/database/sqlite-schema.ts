import type { Knex } from 'knex'

const tables = [
  `CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY,
    balance INTEGER NOT NULL CHECK (balance BETWEEN 0 AND ${Number.MAX_SAFE_INTEGER}),
    version INTEGER NOT NULL
  ) STRICT`,
  `CREATE TABLE IF NOT EXISTS charge_balance_idempotency (
    idempotency_key TEXT NOT NULL UNIQUE,
    fingerprint TEXT NOT NULL,
    status TEXT NOT NULL,
    user_id INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    response TEXT,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
  ) STRICT`,
  'CREATE INDEX IF NOT EXISTS charge_balance_idempotency_expires_at ON charge_balance_idempotency (expires_at)',
]

const seeds = `
  INSERT INTO users (id, balance, version)
  WITH RECURSIVE ids (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < ?)
  SELECT id, 0, 1 FROM ids WHERE true
  ON CONFLICT (id) DO NOTHING`

/** Makes the tables and the users 1 to `users`, where they are missing. Safe while another process does the same. */
export async function prepareSchema(knex: Knex, users: number): Promise<void> {
  // Nothing is served yet, so this one time the connection may wait for another process.
  await knex.raw('PRAGMA busy_timeout = 10000')
  for (const table of tables) await knex.raw(table)
  if (users > 0) await knex.raw(seeds, [users])
  await knex.raw('PRAGMA busy_timeout = 0')
}
