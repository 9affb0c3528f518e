import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { expect } from 'vitest'
import { type RedisServers, startRedis } from '../../concurrency-kit/test/support/containers.ts'
import { onDocker, onRedis, sharedRedis } from '../../concurrency-kit/test/support/engines.ts'
import { charge, get } from './support/client.ts'
import { startTestServer, type TestServer } from './support/in-process.ts'

const chargeOne = (server: TestServer) => charge(server.url, 1, { amount: 1, idempotencyKey: randomUUID() })

/** The server over `REDIS_URL`: twenty charges at once are all made, and it is ready. */
async function charges(redisUrl: string): Promise<TestServer> {
  const server = await startTestServer({ env: { REDIS_URL: redisUrl } })
  const answers = await Promise.all(Array.from({ length: 20 }, () => chargeOne(server)))
  expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200))
  expect((await get(server.url, '/ready')).status).toBe(200)
  return server
}

async function withServers<Result>(
  options: Parameters<typeof startRedis>[0],
  use: (servers: RedisServers) => Promise<Result>,
): Promise<Result> {
  const servers = await startRedis(options)
  try {
    return await use(servers)
  } finally {
    await servers.stop()
  }
}

const inside = (servers: RedisServers, port: number | undefined, ...command: string[]) =>
  servers.exec('redis-cli', '-p', String(port), ...command)

onRedis.describe('REDIS_URL of one server', () => {
  onRedis.test('its key while a charge runs is the one that is documented, and gone afterwards', async () => {
    const redis = new Redis(sharedRedis())
    const server = await startTestServer({ env: { REDIS_URL: sharedRedis() }, users: 987_654 })
    const occupied = await server.backing.occupy()
    const running = charge(server.url, 987_654, { amount: 1, idempotencyKey: randomUUID() })
    await expect.poll(() => redis.keys('balance:user:987654*')).toEqual(['balance:user:987654'])
    await occupied.free()
    expect((await running).status).toBe(200)
    await expect.poll(() => redis.keys('*balance:user:987654*')).toEqual([])
    redis.disconnect()
    await server.close()
  })
})

onDocker.describe('REDIS_URL of several servers', () => {
  onDocker.test('a quorum: one of three may be down; with two down 503, until they are back', async () => {
    await withServers({ count: 3 }, async (servers) => {
      const [a, b, c] = servers.ports
      const server = await charges([a, b, c].map((port) => `redis://127.0.0.1:${port}`).join())
      await inside(servers, a, 'shutdown', 'nosave').catch(() => {})
      await expect.poll(async () => (await chargeOne(server)).status).toBe(200)
      expect((await get(server.url, '/ready')).status).toBe(200)
      await inside(servers, b, 'shutdown', 'nosave').catch(() => {})
      await expect.poll(async () => (await chargeOne(server)).json.code).toBe('COMMON007')
      expect((await get(server.url, '/ready')).status).toBe(503)
      await servers.exec('redis-server', '--port', String(b), '--protected-mode', 'no', '--daemonize', 'yes')
      await expect.poll(async () => (await chargeOne(server)).status, { timeout: 10_000 }).toBe(200)
      await server.close()
    })
  })

  onDocker.test('a Cluster', async () => {
    const flags = '--cluster-enabled yes --cluster-announce-ip 127.0.0.1'
    await withServers({ flags }, async (servers) => {
      const [port] = servers.ports
      await inside(servers, port, 'cluster', 'addslotsrange', '0', '16383')
      await expect
        .poll(() => inside(servers, port, 'cluster', 'info'), { timeout: 10_000 })
        .toContain('cluster_state:ok')
      await (await charges(`redis+cluster://127.0.0.1:${port}`)).close()
    })
  })

  onDocker.test('a master that Sentinel names', async () => {
    await withServers({ count: 2 }, async (servers) => {
      const [master, sentinel] = servers.ports
      await inside(servers, sentinel, 'shutdown', 'nosave').catch(() => {})
      const config = `port ${sentinel}\\nprotected-mode no\\nsentinel monitor money 127.0.0.1 ${master} 1\\n`
      const start = `printf '${config}' >/tmp/sentinel.conf && redis-server /tmp/sentinel.conf --sentinel --daemonize yes`
      await servers.exec('sh', '-c', start)
      await (await charges(`redis+sentinel://127.0.0.1:${sentinel}/money`)).close()
    })
  })
})

onRedis.test(
  'a server that is not there: it does not start, and says where it looked, without the password',
  async () => {
    const settings = { env: { REDIS_URL: 'redis://:secret@127.0.0.1:1' } }
    await expect(startTestServer(settings)).rejects.toThrow(/^Redis 127\.0\.0\.1:1 did not answer(?!.*secret)/)
  },
)
