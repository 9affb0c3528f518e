import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { onRedis, sharedRedis } from './engines.ts'
import { FaultyLine } from './faulty-line.ts'

async function setUp() {
  const line = await FaultyLine.to(Number(new URL(sharedRedis()).port))
  const redis = new Redis({ port: line.port, retryStrategy: () => null, maxRetriesPerRequest: 0 })
  redis.on('error', () => {})
  await redis.ping()
  const close = async () => {
    redis.disconnect()
    await line.close()
  }
  return { line, redis, close }
}

onRedis.describe('the line that the tests let things go wrong with', () => {
  test('a request that is cut never reaches the server; one whose reply is cut does', async () => {
    for (const [cut, stored] of [
      [(line: FaultyLine, key: string) => line.next('request', key, 'cut'), null],
      [(line: FaultyLine, key: string) => line.nextReplyTo(key, 'cut'), '1'],
      [(line: FaultyLine, key: string) => line.nextReplyTo(key, 'halve'), '1'],
    ] as const) {
      const { line, redis, close } = await setUp()
      const key = `line:${Math.random()}`
      const sprung = cut(line, key)
      await expect(redis.set(key, '1', 'EX', 5)).rejects.toThrow()
      await sprung
      const direct = new Redis(sharedRedis())
      expect(await direct.get(key)).toBe(stored)
      direct.disconnect()
      await close()
    }
  })

  test('a delay keeps the order, a stall keeps everything, a duplicate comes twice', async () => {
    const { line, redis, close } = await setUp()
    line.delay(20)
    const startedAt = performance.now()
    expect(await Promise.all([redis.echo('a'), redis.echo('b')])).toEqual(['a', 'b'])
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(39)
    line.delay(0)
    line.stall()
    let answered = false
    const echo = redis.echo('c').finally(() => {
      answered = true
    })
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(answered).toBe(false)
    line.resume()
    expect(await echo).toBe('c')
    const key = `line:${Math.random()}`
    void line.next('request', key, 'duplicate')
    await redis.incr(key)
    const direct = new Redis(sharedRedis())
    await expect.poll(() => direct.get(key)).toBe('2')
    await direct.del(key)
    direct.disconnect()
    await close()
  })
})
