import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { expect } from 'vitest'
import { onRedis, onRedisAndPostgres, sharedRedis } from '../../../concurrency-kit/test/support/engines.ts'
import { watchKeys } from '../../src/demo/cluster/key-watch.ts'
import { audit } from '../../src/demo/ledger.ts'
import { charge } from '../support/client.ts'
import { startTestServer } from '../support/in-process.ts'
import { redisAndPostgres } from '../support/real-engines.ts'

onRedis.test('keys that are no lock and not documented are seen while they are watched', async () => {
  const redis = new Redis(sharedRedis())
  const lock = `balance:user:${Date.now()}`
  const strangers = [`balance:user:${randomUUID()}`, `stranger:${randomUUID()}`]
  const watch = await watchKeys(sharedRedis())
  if (watch === undefined) throw new Error('REDIS_URL of the tests names a server')
  for (const key of [lock, ...strangers]) await redis.set(key, '1', 'PX', 10_000)
  // Two looks later each of them was there for one of them as a whole.
  const { samples } = watch.seen()
  await expect.poll(() => watch.seen().samples).toBeGreaterThan(samples + 1)
  const seen = await watch.stop()
  await redis.del(lock, ...strangers)
  redis.disconnect()
  expect(seen.mostLocks).toBeGreaterThan(0)
  expect(seen.strangers).toEqual(expect.arrayContaining(strangers))
  expect(seen.strangers).not.toContain(lock)
})

onRedisAndPostgres.test('the ledger of a Postgres: what was acknowledged, recorded and booked agrees', async () => {
  const server = await startTestServer({ users: 2 }, redisAndPostgres)
  const { ledger } = server.backing
  const starting = await ledger.balances()
  const { json } = await charge(server.url, 1, { amount: 100, idempotencyKey: 'k-1' })
  const told = { key: 'k-1', userId: 1, amount: 100, balance: json.balance }
  expect(await audit(ledger, starting, [told, told])).toEqual({
    acknowledgedKeys: 1,
    unrecorded: 0,
    completed: 1,
    sumOfCompleted: 100,
    sumOfGains: 100,
    wrongBalances: 0,
  })
  expect((await audit(ledger, starting, [{ ...told, balance: 200 }])).unrecorded).toBe(1)
  await server.close()
})
