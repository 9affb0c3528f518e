import { expect } from 'vitest'
import { onRedis } from '../support/engines.ts'
import { freshKey, lockProcess } from '../support/redis-keys.ts'
import { rivalOn } from '../support/rival.ts'

onRedis.describe('acquires and releases of one round of the event loop', () => {
  onRedis.test('go as one command, 64 at most, and each has the answer that is its own', async () => {
    const { client, store, close } = lockProcess()
    const [free, held] = [Array.from({ length: 100 }, freshKey), Array.from({ length: 60 }, freshKey)]
    await Promise.all(held.map((key) => rivalOn(store, key, 'other').acquire()))
    const sent: number[] = []
    const evalsha = client.evalsha.bind(client)
    client.evalsha = ((sha1: string, keys: number, ...rest: string[]) => {
      sent.push(keys)
      return evalsha(sha1, keys, ...rest)
    }) as typeof client.evalsha
    const answers = await Promise.all([...free, ...held].map((key) => rivalOn(store, key).acquire()))
    expect(answers.map(({ acquired }) => acquired)).toEqual([...free.map(() => true), ...held.map(() => false)])
    const released = await Promise.all([...held, ...free].map((key) => rivalOn(store, key).release()))
    expect(released).toEqual([...held.map(() => false), ...free.map(() => true)])
    expect(sent).toEqual([1 + 2 * 64, 1 + 2 * 64, 1 + 2 * 32, 2 * 64, 2 * 64, 2 * 32])
    await close()
  })

  onRedis.test('get ranges of fencing tokens that do not overlap', async () => {
    const { store, close } = lockProcess()
    const { signal } = new AbortController()
    const tokens = [3, 1, 5, 2]
    const answers = await Promise.all(
      tokens.map((count) => store.tryAcquire({ key: freshKey(), holder: 'me', ttlMs: 9_000, tokens: count, signal })),
    )
    const firsts = answers.map((answer) => (answer.acquired ? answer.firstToken : undefined) as bigint)
    const begin = firsts[0] as bigint
    expect(firsts.map((first) => first - begin)).toEqual([0n, 3n, 4n, 9n])
    const after = await rivalOn(store, freshKey()).acquire()
    expect(after.acquired && after.firstToken).toBeGreaterThanOrEqual(begin + 11n)
    await close()
  })

  onRedis.test('fail alone: a key of another type is the error of who asked for it', async () => {
    const { client, store, close } = lockProcess()
    const [before, foreign, after] = [freshKey(), freshKey(), freshKey()]
    await client.rpush(foreign, 'a list')
    const keys = [before, foreign, after]
    for (const verb of ['acquire', 'release'] as const) {
      const outcomes = await Promise.allSettled(keys.map((key) => rivalOn(store, key)[verb]()))
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
      expect(outcomes[1]).toMatchObject({
        reason: { code: 'STORE_ERROR', cause: { message: expect.stringContaining('WRONGTYPE') } },
      })
      expect(await client.exists(before, after)).toBe(verb === 'acquire' ? 2 : 0)
    }
    await client.del(foreign)
    await close()
  })
})
