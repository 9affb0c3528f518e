import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { expect } from 'vitest'
import { ioredisIdempotencyStore } from '../../src/entries/ioredis.ts'
import { idempotencyStoreContract } from '../../src/entries/testing.ts'
import { findReplay } from '../../src/idempotency/find-replay.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { onRedis, sharedRedis } from '../support/engines.ts'
import { FaultyLine } from '../support/faulty-line.ts'

for (const options of [{}, { keyPrefix: 'app:' }, { enableAutoPipelining: true, stringNumbers: true }]) {
  idempotencyStoreContract(
    onRedis,
    `ioredis ${JSON.stringify(options)}`,
    async () => {
      const [client, other] = [new Redis(sharedRedis(), options), new Redis(sharedRedis(), options)]
      const prefix = `contract:${randomUUID()}:`
      const open = (each: Redis) => ioredisIdempotencyStore({ client: each, prefix })
      const close = async () => {
        for (const each of [client, other]) each.disconnect()
      }
      return { store: open(client), rival: open(other), close }
    },
    { kind: 'leased', purges: false },
  )
}

async function setUp() {
  const line = await FaultyLine.to(Number(new URL(sharedRedis()).port))
  const client = new Redis({ port: line.port })
  client.on('error', () => {})
  await client.ping()
  const prefix = `test:${randomUUID()}:`
  const store = ioredisIdempotencyStore({ client, prefix, commandMs: 300 })
  const close = async () => {
    client.disconnect()
    await line.close()
  }
  return { line, client, prefix, store, close }
}

onRedis.describe('on Redis', () => {
  onRedis.test('I12: scope and key are one name only together, whatever characters they have', async () => {
    const { client, prefix, store, close } = await setUp()
    const pairs = [
      ['a', '1:b'],
      ['a1:', 'b'],
      ['', '1:a1:b'],
      ['1:a', '1:b'],
      ['{', '}'],
      ['{}', ''],
    ].map(([scope = '', key = '']) => ({ ...(scope && { scope }), key: key || ' ' }))
    for (const pair of pairs) {
      await withIdempotency({ store, ...pair, onAmbiguous: 'refuse' }, async () => JSON.stringify(pair))
    }
    for (const pair of pairs) {
      expect(await findReplay({ store, ...pair })).toEqual({ found: true, result: JSON.stringify(pair) })
    }
    expect((await client.keys(`${prefix}*`)).length).toBe(pairs.length)
    await close()
  })

  onRedis.test('I11: nothing outlives its retention, neither record nor claim', async () => {
    const { client, prefix, store, close } = await setUp()
    await withIdempotency({ store, key: 'done', onAmbiguous: 'refuse', retentionMs: 200 }, async () => 1)
    const claim = { scope: '', key: 'died', owner: 'o', fingerprint: 'f', payload: null, leaseMs: 100 }
    await store.claim({ ...claim, retentionMs: 200, takeOver: false })
    await expect.poll(() => client.keys(`${prefix}*`)).toEqual([])
    await close()
  })

  onRedis.test('L19: a reply that is lost at any step is asked for again: the handler runs once', async () => {
    // That of the claim, that of the completion.
    for (const lost of [0, 1]) {
      const { line, prefix, store, close } = await setUp()
      const options = { store, key: `k${lost}`, onAmbiguous: 'refuse' } as const
      // The server knows the scripts: what is lost is the command's reply, not the asking for its text.
      await withIdempotency({ ...options, key: 'before' }, async () => 0)
      let runs = 0
      let sprung = lost === 0 ? line.nextReplyTo(prefix, 'cut') : Promise.resolve()
      const result = await withIdempotency(options, async () => {
        if (lost === 1) sprung = line.nextReplyTo(prefix, 'cut')
        runs += 1
        return runs
      })
      await sprung
      expect([result, runs]).toEqual([1, 1])
      expect(await findReplay(options)).toEqual({ found: true, result: 1 })
      await close()
    }
  })

  onRedis.test('I13: every command to a server that hangs ends in a StoreError within commandMs', async () => {
    const { line, store, close } = await setUp()
    line.stall()
    const record = { scope: '', key: 'k' }
    const claim = { ...record, owner: 'o', fingerprint: 'f', payload: null, leaseMs: 1_000, retentionMs: 1_000 }
    const startedAt = performance.now()
    const outcomes = await Promise.allSettled([
      store.find(record),
      store.claim({ ...claim, takeOver: false }),
      store.renew(claim),
      store.complete({ ...claim, outcome: 'result', text: '1' }),
      store.abandon(claim),
    ])
    expect(performance.now() - startedAt).toBeLessThan(800)
    for (const outcome of outcomes) expect(outcome).toMatchObject({ reason: { code: 'STORE_ERROR' } })
    await close()
  })
})
