import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import pg from 'pg'
import { expect, vi } from 'vitest'
import { onRedisAndPostgres, sharedRedis } from '../../concurrency-kit/test/support/engines.ts'
import { type Backing, shared } from './support/backing.ts'
import { startServerProcess } from './support/child.ts'
import { balanceOf, charge, get } from './support/client.ts'
import { startTestServer } from './support/in-process.ts'
import { redisAndPostgres } from './support/real-engines.ts'

const CALLERS = 200

/** Holds a user's row as a transaction does that does not end: charges of that user cannot be written. */
async function occupyUser({ env }: Backing, userId: number) {
  const client = new pg.Client({ connectionString: env.DATABASE_URL })
  await client.connect()
  await client.query('BEGIN')
  await client.query('SELECT 1 FROM users WHERE id = $1 FOR UPDATE', [userId])
  return { free: () => client.end() }
}

const running = async (url: string) => Number(/demo_charges_running (\d+)/.exec((await get(url, '/metrics')).text)?.[1])

/** A server with two connections in this process, and its rival in another, in the middle of a charge of user 1. */
async function withRival(env: Record<string, string>, key: string) {
  const server = await startTestServer({ env: { ...env, DATABASE_POOL: '2' } }, redisAndPostgres)
  const rival = await startServerProcess({ ...server.backing.env, ...env, DATABASE_POOL: '2' })
  const occupied = await occupyUser(server.backing, 1)
  const first = charge(rival.url, 1, { amount: 1, idempotencyKey: key })
  await vi.waitFor(async () => expect(await running(rival.url)).toBe(1))
  const { backing } = server
  await vi.waitFor(async () => {
    const blocked = await backing.sql(
      "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    )
    expect(blocked).toHaveLength(1)
  })
  const close = async () => {
    process.kill(rival.pid, 'SIGTERM')
    await rival.exited
    await server.close()
  }
  return { server, first, free: occupied.free, close }
}

onRedisAndPostgres.describe('several instances on one Postgres', () => {
  onRedisAndPostgres.test('started at once on an empty database, each finds the tables and users made', async () => {
    const first = await redisAndPostgres()
    const servers = await Promise.all(Array.from({ length: 6 }, () => startTestServer({}, shared(first))))
    expect(await first.sql('SELECT count(*) AS count, max(version) AS version FROM users')).toEqual([
      { count: 20, version: 1 },
    ])
    for (const server of servers) await server.close()
    await first.discard()
  })

  onRedisAndPostgres.test(
    'C6: 200 callers of one key, which another process runs, leave a pool of two to others',
    async () => {
      // Locks in each process: the two meet at the key alone, which is legal on a shared database.
      const key = randomUUID()
      const { server, first, free, close } = await withRival({ LOCK: 'off' }, key)
      const callers = Array.from({ length: CALLERS }, () => charge(server.url, 1, { amount: 1, idempotencyKey: key }))
      await vi.waitFor(async () => expect(await running(server.url)).toBe(CALLERS))
      expect((await charge(server.url, 2, { amount: 5, idempotencyKey: randomUUID() })).json.balance).toBe(5)
      expect(await balanceOf(server.url, 1)).toBe(0)
      await free()
      const answers = new Set((await Promise.all([first, ...callers])).map(({ status, text }) => `${status} ${text}`))
      expect([...answers]).toEqual([expect.stringMatching(/^200 .*"balance":1,/)])
      expect(await balanceOf(server.url, 1)).toBe(1)
      await close()
    },
  )

  onRedisAndPostgres.test('C6: 200 callers of a lock that another process holds use no connection', async () => {
    const { server, first, free, close } = await withRival({}, randomUUID())
    const callers = Array.from({ length: CALLERS }, () =>
      charge(server.url, 1, { amount: 1, idempotencyKey: randomUUID() }),
    )
    await vi.waitFor(async () => expect(await running(server.url)).toBe(CALLERS))
    expect((await charge(server.url, 2, { amount: 5, idempotencyKey: randomUUID() })).json.balance).toBe(5)
    await free()
    expect((await Promise.all([first, ...callers])).map(({ status }) => status)).toEqual(Array(CALLERS + 1).fill(200))
    expect(await balanceOf(server.url, 1)).toBe(CALLERS + 1)
    await close()
  })

  onRedisAndPostgres.test('one key sent to two instances at once is charged once, and answered alike', async () => {
    const server = await startTestServer({}, redisAndPostgres)
    const other = await startTestServer({}, shared(server.backing))
    for (let round = 0; round < 20; round += 1) {
      const body = { amount: 1, idempotencyKey: randomUUID() }
      const answers = await Promise.all([server, other, server, other].map(({ url }) => charge(url, 3, body)))
      expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
    }
    expect(await balanceOf(other.url, 3)).toBe(20)
    await other.close()
    await server.close()
  })

  onRedisAndPostgres.test('with locks in each process the record and the version alone keep every won', async () => {
    const server = await startTestServer({ env: { REDIS_URL: '' } }, redisAndPostgres)
    const other = await startTestServer({ env: { REDIS_URL: '' } }, shared(server.backing))
    const charges = Array.from({ length: 100 }, (_, n) => {
      const body = { amount: 1, idempotencyKey: `shared-${n % 50}` }
      return charge(n < 50 ? server.url : other.url, 1, body)
    })
    expect((await Promise.all(charges)).map(({ status }) => status)).toEqual(Array(100).fill(200))
    expect(await balanceOf(server.url, 1)).toBe(50)
    await other.close()
    await server.close()
  })

  onRedisAndPostgres.test(
    'SIGTERM: charges that run are answered, locks are given back, connections closed',
    async () => {
      const backing = await redisAndPostgres()
      const server = await startServerProcess({ ...backing.env })
      const occupied = await backing.occupy()
      const charges = Array.from({ length: 10 }, (_, n) =>
        charge(server.url, 700 + n, { amount: 1, idempotencyKey: `stopped-${n}` }),
      )
      await vi.waitFor(async () => expect(await running(server.url)).toBe(10))
      process.kill(server.pid, 'SIGTERM')
      await vi.waitFor(() => expect(server.lines.map(({ msg }) => msg)).toContain('SIGTERM: finishing what is running'))
      await occupied.free()
      expect((await Promise.all(charges)).map(({ status }) => status)).toEqual(Array(10).fill(200))
      expect(await server.exited).toEqual({ code: 0, signal: null })
      const redis = new Redis(sharedRedis())
      expect(await redis.exists(charges.map((_, n) => `balance:user:${700 + n}`))).toBe(0)
      redis.disconnect()
      await expect
        .poll(() =>
          backing.sql(
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'demo-server' AND datname = current_database()",
          ),
        )
        .toEqual([])
      await backing.discard()
    },
  )
})
