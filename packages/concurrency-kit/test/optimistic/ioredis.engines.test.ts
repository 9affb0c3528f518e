import { Redis } from 'ioredis'
import { expect } from 'vitest'
import { ioredisVersionedStore } from '../../src/entries/ioredis.ts'
import { type Counter, versionedStoreContract } from '../../src/entries/testing.ts'
import { optimisticUpdate } from '../../src/optimistic/optimistic-update.ts'
import { onRedis, sharedRedis } from '../support/engines.ts'
import { FaultyLine } from '../support/faulty-line.ts'
import { freshKey } from '../support/redis-keys.ts'
import { countersIn } from '../support/versioned-rows.ts'

for (const options of [{}, { keyPrefix: 'app:' }, { enableAutoPipelining: true, stringNumbers: true }]) {
  versionedStoreContract(
    onRedis,
    `ioredis ${JSON.stringify(options)}`,
    async () => {
      const [client, other] = [new Redis(sharedRedis(), options), new Redis(sharedRedis(), options)]
      const open = (each: Redis) => ioredisVersionedStore<string, Counter>({ client: each, prefix: 'contract:' })
      const close = async () => {
        for (const each of [client, other]) each.disconnect()
      }
      return { ...countersIn(open(client)), rival: open(other), close }
    },
    { updateLocked: false },
  )
}

async function setUp() {
  const line = await FaultyLine.to(Number(new URL(sharedRedis()).port))
  const client = new Redis({ port: line.port })
  client.on('error', () => {})
  await client.ping()
  const prefix = freshKey()
  const rows = ioredisVersionedStore<number, Counter>({ client, prefix, commandMs: 300 })
  const close = async () => {
    client.disconnect()
    await line.close()
  }
  return { line, client, prefix, rows, close }
}

onRedis.describe('on Redis', () => {
  onRedis.test('S8: the version is asked for in the write: what another wrote after the read stays', async () => {
    const { rows, prefix, close } = await setUp()
    const client = new Redis(sharedRedis())
    const rival = ioredisVersionedStore<number, Counter>({ client, prefix })
    const add = (by: number) => (row: Counter) => ({ count: row.count + by })
    await rows.insert(1, { count: 0 })
    let ran = 0
    const stored = await optimisticUpdate({ store: rows, id: 1 }, async (row) => {
      ran += 1
      if (ran === 1) await optimisticUpdate({ store: rival, id: 1 }, add(1_000))
      return add(1)(row)
    })
    expect([stored.count, ran]).toEqual([1_001, 2])
    client.disconnect()
    await close()
  })

  onRedis.test('L19: a write whose reply is lost, and which the client sends again, counts once', async () => {
    const { line, prefix, rows, close } = await setUp()
    // The server knows the scripts: what is lost is the write's reply, not the asking for its text.
    await rows.insert(2, { count: 0 })
    await optimisticUpdate({ store: rows, id: 2 }, ({ count }) => ({ count: count + 1 }))
    await rows.delete(2)
    const losingReply = async <Answer>(verb: () => Promise<Answer>) => {
      const sprung = line.nextReplyTo(`${prefix}1`, 'cut')
      const answer = await verb()
      await sprung
      return answer
    }
    expect(await losingReply(() => rows.insert(1, { count: 0 }))).toBe(true)
    let changes = 0
    const row = await optimisticUpdate({ store: rows, id: 1 }, async ({ count }) => {
      changes += 1
      if (changes === 1) void line.nextReplyTo(`${prefix}1`, 'cut')
      return { count: count + 1 }
    })
    expect([row.count, changes]).toEqual([1, 1])
    expect((await rows.read({ id: 1, lock: false }))?.value.count).toBe(1)
    expect(await losingReply(() => rows.delete(1))).toBe(true)
    await close()
  })

  onRedis.test('a row that is made again never has an old version; one that exists is not made again', async () => {
    const { client, prefix, rows, close } = await setUp()
    await rows.insert(1, { count: 1 })
    expect(await rows.insert(1, { count: 2 })).toBe(false)
    const old = await rows.read({ id: 1, lock: false })
    expect(await rows.delete(1)).toBe(true)
    expect(await rows.delete(1)).toBe(false)
    await rows.insert(1, { count: 3 })
    const late = { id: 1, expectedVersion: old?.version ?? 0, value: { count: 4 } }
    expect(await rows.compareAndSet(late)).toEqual({ stored: false })
    await rows.delete(1)
    // Nor is anything else left, once nobody waits for an answer.
    await expect.poll(() => client.keys(`*${prefix}*`)).toEqual([])
    await close()
  })

  onRedis.test('what JSON does not carry is refused with its path, and nothing is written', async () => {
    const { rows, close } = await setUp()
    await rows.insert(1, { count: 1 })
    const change = () => ({ count: 2, at: [new Date()] })
    await expect(optimisticUpdate({ store: rows, id: 1 }, change)).rejects.toThrow(
      new TypeError('value cannot be stored: $.at[0] is a Date'),
    )
    expect((await rows.read({ id: 1, lock: false }))?.value).toEqual({ count: 1 })
    await rows.delete(1)
    await close()
  })

  onRedis.test('every command to a server that hangs ends in a StoreError within commandMs', async () => {
    const { line, rows, close } = await setUp()
    line.stall()
    const startedAt = performance.now()
    const outcomes = await Promise.allSettled([
      rows.read({ id: 1, lock: false }),
      rows.compareAndSet({ id: 1, expectedVersion: 1, value: { count: 1 } }),
      rows.insert(1, { count: 1 }),
      rows.delete(1),
    ])
    expect(performance.now() - startedAt).toBeLessThan(800)
    for (const outcome of outcomes) expect(outcome).toMatchObject({ reason: { code: 'STORE_ERROR' } })
    await close()
  })
})
