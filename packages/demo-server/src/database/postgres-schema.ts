import type { Pool } from 'pg'

const tables = `
  CREATE TABLE IF NOT EXISTS users (
    id bigint PRIMARY KEY,
    balance bigint NOT NULL CHECK (balance BETWEEN 0 AND ${Number.MAX_SAFE_INTEGER}),
    version bigint NOT NULL
  );
  CREATE TABLE IF NOT EXISTS charge_balance_idempotency (
    idempotency_key text NOT NULL UNIQUE,
    fingerprint text NOT NULL,
    status text NOT NULL,
    user_id bigint NOT NULL,
    amount bigint NOT NULL,
    response text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
  );
  CREATE INDEX IF NOT EXISTS charge_balance_idempotency_expires_at ON charge_balance_idempotency (expires_at);`

const seeds = `
  INSERT INTO users (id, balance, version)
  SELECT id, 0, 1 FROM generate_series(1, $1::bigint) AS ids (id)
  ON CONFLICT (id) DO NOTHING`

/** One at a time over all instances: `CREATE TABLE IF NOT EXISTS` fails where two run at once. "demo" in ASCII. */
const TURN = 0x64656d6f

/** Makes the tables and the users 1 to `users`, where they are missing, in one transaction. */
export async function prepareSchema(pool: Pool, users: number): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    await client.query('SELECT pg_advisory_xact_lock($1)', [TURN])
    await client.query(tables)
    await client.query(seeds, [users])
    await client.query('COMMIT')
    client.release()
  } catch (error) {
    // Its connection goes with it, and the transaction with the connection.
    client.release(true)
    throw error
  }
}
