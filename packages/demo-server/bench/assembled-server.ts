/** The charge over Redis and Postgres as anybody would put it together from npm: redlock around a Knex transaction. */
import { Redis } from 'ioredis'
import createKnex from 'knex'
import Redlock from 'redlock'
import {
  balanceTooLarge,
  log,
  type Outcome,
  RETENTION_MS,
  replayOf,
  type StoredCharge,
  serve,
  userUnknown,
} from './charge-http.ts'

const LOCK_MS = 30_000
/** With redlock's own pause of 200 ms between attempts: about 10 s. */
const RETRIES = 50

const redis = new Redis(process.env.REDIS_URL ?? '')
const redlock = new Redlock([redis as never], { retryCount: RETRIES })
redlock.on('error', () => {})
const knex = createKnex({
  client: 'pg',
  connection: process.env.DATABASE_URL ?? '',
  pool: { min: 2, max: Number(process.env.POOL_SIZE ?? 20) },
})

function inTransaction(userId: number, amount: number, key: string): Promise<Outcome> {
  return knex.transaction(async (transaction) => {
    const earlier = await transaction<StoredCharge>('charge_balance_idempotency').where('idempotency_key', key).first()
    if (earlier !== undefined) return replayOf(earlier, userId, amount)
    const account = await transaction('users').where('id', userId).first()
    if (account === undefined) return { refused: userUnknown() }
    const balance = Number(account.balance) + amount
    if (!Number.isSafeInteger(balance)) return { refused: balanceTooLarge() }
    const updated = await transaction('users')
      .where({ id: userId, version: account.version })
      .update({ balance, version: Number(account.version) + 1 })
    if (updated === 0) throw new Error('version conflict')
    const now = new Date()
    const response = JSON.stringify({ userId, balance, chargedAmount: amount, chargedAt: now.toISOString() })
    await transaction('charge_balance_idempotency').insert({
      idempotency_key: key,
      fingerprint: '',
      status: 'COMPLETED',
      user_id: userId,
      amount,
      response,
      created_at: now,
      expires_at: new Date(now.getTime() + RETENTION_MS),
    })
    return { charged: response }
  })
}

await serve(
  (userId, amount, key) =>
    redlock.using([`balance:user:${userId}`], LOCK_MS, async () => {
      log.info(`Distributed lock acquired: balance:user:${userId}`)
      return inTransaction(userId, amount, key)
    }),
  async () => {
    redis.disconnect()
    await knex.destroy()
  },
)
