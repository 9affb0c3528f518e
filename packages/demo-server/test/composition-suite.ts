import { events } from 'concurrency-kit'
import { expect, test, vi } from 'vitest'
import { on } from '../src/metrics.ts'
import type { OpenBacking } from './support/backing.ts'
import { balanceOf, charge, get } from './support/client.ts'
import { startTestServer } from './support/in-process.ts'

/** That the guards are composed in the right order, whatever the stores are. */
export function composition(open: OpenBacking): void {
  test('C3: a charge that fails leaves no mark at all, and its key is free', async () => {
    const server = await startTestServer({}, open)
    await charge(server.url, 1, { amount: Number.MAX_SAFE_INTEGER, idempotencyKey: 'full' })
    expect((await charge(server.url, 1, { amount: 1, idempotencyKey: 'failed' })).json.code).toBe('U002')
    expect(await server.backing.sql('SELECT idempotency_key, status FROM charge_balance_idempotency')).toEqual([
      { idempotency_key: 'full', status: 'COMPLETED' },
    ])
    expect((await charge(server.url, 2, { amount: 1, idempotencyKey: 'failed' })).status).toBe(200)
    await server.close()
  })

  test('C4: charges of one user meet at one lock whatever their keys are; those of two users do not', async () => {
    const server = await startTestServer({}, open)
    const holders = new Map<string, number>()
    let most = 0
    const ends = [
      on(events.lock.acquired, ({ key }) => {
        holders.set(key, (holders.get(key) ?? 0) + 1)
        most = Math.max(most, holders.get(key) ?? 0)
      }),
      on(events.lock.ended, ({ key }) => holders.set(key, (holders.get(key) ?? 0) - 1)),
    ]
    const occupied = await server.backing.occupy()
    const charges = Array.from({ length: 30 }, (_, i) =>
      charge(server.url, 1 + (i % 3), { amount: 1, idempotencyKey: `meeting-${i}` }),
    )
    await vi.waitFor(() => expect(holders.size).toBe(3))
    await occupied.free()
    await Promise.all(charges)
    for (const end of ends) end()
    expect([...holders.keys()].sort()).toEqual(['balance:user:1', 'balance:user:2', 'balance:user:3'])
    expect(most).toBe(1)
    await server.close()
  })

  test('C5: a charge that takes longer than its lease keeps the lock', async () => {
    const server = await startTestServer({ limits: { lockTtlMs: 90, lockWaitMs: 400 } }, open)
    const occupied = await server.backing.occupy()
    const slow = charge(server.url, 1, { amount: 1, idempotencyKey: 'slow' })
    const refused = await charge(server.url, 1, { amount: 1, idempotencyKey: 'waits four leases long' })
    expect(refused.json.code).toBe('PAY003')
    await occupied.free()
    expect((await slow).status).toBe(200)
    const { text } = await get(server.url, '/metrics')
    expect(text).toContain('concurrency_kit_lock_lost_total 0')
    await server.close()
  })

  test('C11: a retry right behind the answer gets the same bytes, a hundred times in a row', async () => {
    const server = await startTestServer({}, open)
    for (let i = 0; i < 100; i += 1) {
      const body = { amount: 1, idempotencyKey: `immediate-${i}` }
      const first = await charge(server.url, 1, body)
      const again = await charge(server.url, 1, body)
      expect([again.status, again.text]).toEqual([200, first.text])
    }
    expect(await balanceOf(server.url, 1)).toBe(100)
    await server.close()
  })
}
