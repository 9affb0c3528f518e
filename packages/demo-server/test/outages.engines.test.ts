import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect } from 'vitest'
import {
  type PostgresServer,
  type RedisServers,
  startPostgres,
  startRedis,
} from '../../concurrency-kit/test/support/containers.ts'
import { onDocker } from '../../concurrency-kit/test/support/engines.ts'
import { crash } from './crash.ts'
import { shared } from './support/backing.ts'
import { type Answer, balanceOf, charge, get } from './support/client.ts'
import { startTestServer, type TestServer } from './support/in-process.ts'
import { backingOn } from './support/real-engines.ts'

const RECOVERY = { timeout: 10_000 }
/** The command's deadline of 2 s, or the connection's of 5 s, and a busy machine. */
const QUICKLY_MS = 8_000

onDocker.describe('when a store is lost', () => {
  let redis: RedisServers
  let postgres: PostgresServer
  let server: TestServer
  beforeAll(async () => {
    ;[redis, postgres] = await Promise.all([startRedis(), startPostgres()])
    const backing = backingOn(postgres.url, `redis://127.0.0.1:${redis.ports[0]}`)
    server = await startTestServer({}, shared(backing))
  }, 90_000)
  afterAll(async () => {
    await server?.close()
    await Promise.all([redis?.stop(), postgres?.stop()])
  })

  async function expectUnavailable(asking: Promise<Answer>): Promise<void> {
    const startedMs = performance.now()
    const answer = await asking
    expect(answer.json).toEqual({
      code: 'COMMON007',
      message: '일시적으로 처리할 수 없습니다. 잠시 후 다시 시도해주세요',
      timestamp: expect.any(String),
    })
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
    expect(performance.now() - startedMs).toBeLessThan(QUICKLY_MS)
  }

  const newCharge = () => ({ amount: 1, idempotencyKey: randomUUID() })

  onDocker.test.each(['killed', 'stopped where it is'])(
    'Redis %s: 503, while what is done and balances are answered; then the same key is charged once',
    async (how) => {
      const done = newCharge()
      const first = await charge(server.url, 1, done)
      const lost = newCharge()
      if (how === 'killed') redis.kill()
      else redis.pause()
      await expectUnavailable(charge(server.url, 1, lost))
      await expectUnavailable(get(server.url, '/ready'))
      expect((await charge(server.url, 1, done)).text).toBe(first.text)
      expect(await balanceOf(server.url, 1)).toBe(first.json.balance)
      if (how === 'killed') await redis.start()
      else redis.unpause()
      await expect.poll(async () => (await charge(server.url, 1, lost)).status, RECOVERY).toBe(200)
      expect(await balanceOf(server.url, 1)).toBe(first.json.balance + 1)
      expect((await get(server.url, '/ready')).status).toBe(200)
    },
  )

  onDocker.test.each(['killed', 'stopped where it is'])(
    'Postgres %s: 503, and then the same key is charged once',
    async (how) => {
      const before = (await charge(server.url, 2, newCharge())).json.balance
      const lost = newCharge()
      if (how === 'killed') postgres.kill()
      else postgres.pause()
      await Promise.all([
        expectUnavailable(charge(server.url, 2, lost)),
        expectUnavailable(get(server.url, '/api/users/2/balance')),
        expectUnavailable(get(server.url, '/ready')),
      ])
      if (how === 'killed') await postgres.start()
      else postgres.unpause()
      await expect.poll(async () => (await charge(server.url, 2, lost)).status, RECOVERY).toBe(200)
      expect(await balanceOf(server.url, 2)).toBe(before + 1)
      expect((await get(server.url, '/ready')).status).toBe(200)
    },
  )

  onDocker.test('C9: one of two instances killed under load: every acknowledged charge is there once', async () => {
    await postgres.exec('psql', '-U', 'postgres', '-c', 'CREATE DATABASE crash')
    const url = new URL(postgres.url)
    url.pathname = '/crash'
    const locks = new Redis(redis.ports[0] as number)
    const backing = backingOn(url.href, `redis://127.0.0.1:${redis.ports[0]}`)
    const { acknowledged, faults } = await crash(backing, {
      kills: 3,
      loadMs: 500,
      instances: 2,
      // What the dead one held would last for its 30 s; that it may be lost too makes it the harder test.
      afterKill: async () => {
        await locks.flushall()
      },
    })
    locks.disconnect()
    expect(faults).toEqual([])
    expect(acknowledged).toBeGreaterThan(0)
  })
})
