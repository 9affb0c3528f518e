import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { Prove } from '../runner.ts'
import { type LockStoreAbilities, type Scene, SOON_MS, TTL_MS, tokenOf } from './scene.ts'

const KEY_ENDS = [
  '',
  '{',
  '}',
  '{}',
  '{a}b',
  'a}b{',
  ' ',
  "'",
  '"',
  '%',
  '*',
  '\\',
  'A',
  'a',
  '한글',
  '🔒',
  '\u00e9',
  'e\u0301',
]

/** Tests each verb of a lock store as processes use them. */
export function lockVerbs(prove: Prove<Scene>, { fencing, acquiresOnce }: Required<LockStoreAbilities>): void {
  prove('a free key is granted, a held key is refused as a value', async ({ holder }) => {
    assert.equal((await holder().acquire()).acquired, true)
    const refused = await holder().acquire()
    assert.equal(refused.acquired, false)
    if (!refused.acquired && refused.freeInMs !== undefined) {
      assert.ok(refused.freeInMs > 0 && refused.freeInMs <= TTL_MS, `freeInMs ${refused.freeInMs}`)
    }
  })

  prove('of many concurrent attempts, at most one is granted', async ({ holder }) => {
    const holders = Array.from({ length: 8 }, () => holder())
    for (let round = 0; round < 5; round += 1) {
      const answers = await Promise.all(holders.map(({ acquire }) => acquire()))
      assert.ok(answers.filter(({ acquired }) => acquired).length <= 1, 'two holders at once')
      await Promise.all(holders.map(({ release }) => release()))
    }
  })

  prove('a grant is answered while its lease lasts', async ({ holder }) => {
    const ttlMs = 250
    const inTime = async () => {
      const a = holder()
      const askedAt = performance.now()
      const { acquired } = await a.acquire(ttlMs)
      const tookMs = performance.now() - askedAt
      await a.release()
      return acquired && tookMs < ttlMs
    }
    // A busy machine may make one answer late; the store must not be late every time.
    assert.ok((await inTime()) || (await inTime()) || (await inTime()), `no grant came within its ${ttlMs} ms`)
  })

  prove('an attempt on a held key is refused at once, and takes nothing later', async ({ holder }) => {
    const [a, b, c] = [holder(), holder(), holder()]
    await a.acquire()
    let timer: ReturnType<typeof setTimeout> | undefined
    const waited = new Promise<never>((_, reject) => {
      timer = setTimeout(reject, SOON_MS, new Error('the attempt waits for the key'))
    })
    const refused = await Promise.race([b.acquire(), waited]).finally(() => clearTimeout(timer))
    assert.equal(refused.acquired, false)
    await a.release()
    assert.equal((await c.acquire()).acquired, true)
  })

  prove(
    'asking again as the same holder is granted again',
    async ({ holder }) => {
      const a = holder()
      const first = tokenOf(await a.acquire())
      const second = tokenOf(await a.acquire())
      if (fencing) assert.ok((second ?? 0n) > (first ?? 0n), 'a repeated grant brings newer tokens')
      assert.equal((await holder().acquire()).acquired, false)
    },
    !acquiresOnce,
  )

  prove('different keys do not exclude each other', async ({ holder, key }) => {
    assert.equal((await holder().acquire()).acquired, true)
    assert.equal((await holder(`${key}:other`).acquire()).acquired, true)
  })

  prove('keys are exact: braces, spaces, case and characters of any script', async ({ holder, key }) => {
    for (const end of KEY_ENDS) {
      assert.equal((await holder(key + end).acquire()).acquired, true, JSON.stringify(end))
      assert.equal((await holder(key + end).acquire()).acquired, false, JSON.stringify(end))
    }
  })

  prove('the longest keys, 1024 bytes as UTF-8, are exact too', async ({ holder, key }) => {
    // Random, as an index may compress its entries.
    const start = `${key}${randomBytes(1_024).toString('base64')}`.slice(0, 1_021)
    for (const end of ['가', '각']) {
      assert.equal((await holder(start + end).acquire()).acquired, true)
      assert.equal((await holder(start + end).acquire()).acquired, false)
    }
  })

  prove('release frees the key for the next', async ({ holder }) => {
    const a = holder()
    await a.acquire()
    assert.equal(await a.release(), true)
    assert.equal((await holder().acquire()).acquired, true)
  })

  prove('a release by another holder changes nothing', async ({ holder }) => {
    const [a, b] = [holder(), holder()]
    await a.acquire()
    assert.equal(await b.release(), false)
    assert.equal((await b.acquire()).acquired, false)
    assert.equal(await a.extend(), true)
  })

  prove('a second release by the holder reports that the lease was gone', async ({ holder }) => {
    const a = holder()
    await a.acquire()
    await a.release()
    assert.equal(await a.release(), false)
  })

  prove('only the holder can extend the lease', async ({ holder }) => {
    const [a, b] = [holder(), holder()]
    assert.equal(await a.extend(), false)
    await a.acquire()
    assert.equal(await b.extend(), false)
    assert.equal(await a.extend(), true)
  })
}
