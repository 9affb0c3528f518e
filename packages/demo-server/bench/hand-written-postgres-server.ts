/**
 * The charge over Redis and Postgres as a careful engineer writes it without the kit, to measure against: a queue per user
 * in the process, then `SET NX PX` with a release script, around one transaction of prepared statements.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { Redis } from 'ioredis'
import pg from 'pg'
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

const LOCK_MS = 30_000
const LOCK_WAIT_MS = 10_000
const RETRY_MS = 5

const redis = new Redis(process.env.REDIS_URL ?? '') as Redis & {
  releaseIfMine(key: string, holder: string): Promise<number>
}
redis.defineCommand('releaseIfMine', {
  numberOfKeys: 1,
  lua: "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0",
})
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: Number(process.env.POOL_SIZE ?? 20) })

const statements = {
  insert: `INSERT INTO charge_balance_idempotency
    (idempotency_key, fingerprint, status, user_id, amount, created_at, expires_at)
    VALUES ($1, '', 'IN_PROGRESS', $2, $3, clock_timestamp(), clock_timestamp() + $4 * interval '1 ms')
    ON CONFLICT (idempotency_key) DO NOTHING RETURNING 1`,
  find: 'SELECT user_id, amount, response FROM charge_balance_idempotency WHERE idempotency_key = $1',
  credit: `UPDATE users SET balance = balance + $1, version = version + 1
    WHERE id = $2 AND balance + $1 <= ${Number.MAX_SAFE_INTEGER} RETURNING balance`,
  exists: 'SELECT 1 FROM users WHERE id = $1',
  complete: `UPDATE charge_balance_idempotency SET status = 'COMPLETED', response = $2 WHERE idempotency_key = $1`,
} as const

async function inTransaction(userId: number, amount: number, key: string): Promise<Outcome> {
  const client = await pool.connect()
  const run = (name: keyof typeof statements, values: unknown[]) =>
    client.query({ name, text: statements[name], values })
  try {
    await client.query('BEGIN')
    const outcome = await chargeBy(run, userId, amount, key)
    await client.query('charged' in outcome ? 'COMMIT' : 'ROLLBACK')
    client.release()
    return outcome
  } catch (error) {
    client.release(true)
    throw error
  }
}

async function chargeBy(
  run: (name: keyof typeof statements, values: unknown[]) => Promise<pg.QueryResult>,
  userId: number,
  amount: number,
  key: string,
): Promise<Outcome> {
  const inserted = await run('insert', [key, userId, amount, RETENTION_MS])
  if (inserted.rowCount === 0) return replayOf((await run('find', [key])).rows[0] as StoredCharge, userId, amount)
  const credited = await run('credit', [amount, userId])
  if (credited.rowCount === 0) {
    const known = await run('exists', [userId])
    return { refused: known.rowCount === 0 ? userUnknown() : balanceTooLarge() }
  }
  const balance = Number(credited.rows[0].balance)
  const response = JSON.stringify({ userId, balance, chargedAmount: amount, chargedAt: new Date().toISOString() })
  await run('complete', [key, response])
  return { charged: response }
}

async function underLock<Result>(key: string, section: () => Promise<Result>): Promise<Result> {
  const holder = randomUUID()
  const endMs = performance.now() + LOCK_WAIT_MS
  while ((await redis.set(key, holder, 'PX', LOCK_MS, 'NX')) === null) {
    if (performance.now() > endMs) throw new Error(`lock ${key} was not free in time`)
    await setTimeout(RETRY_MS)
  }
  try {
    log.info(`Distributed lock acquired: ${key}`)
    return await section()
  } finally {
    await redis.releaseIfMine(key, holder)
  }
}

await serve(
  (userId, amount, key) =>
    inTurn(userId, () => underLock(`balance:user:${userId}`, () => inTransaction(userId, amount, key))),
  async () => {
    redis.disconnect()
    await pool.end()
  },
)
