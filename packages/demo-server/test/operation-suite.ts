import pino from 'pino'
import { expect, test, vi } from 'vitest'
import { type OpenBacking, shared } from './support/backing.ts'
import { balanceOf, charge, get } from './support/client.ts'
import { startTestServer } from './support/in-process.ts'

async function metric(url: string, name: string): Promise<number> {
  const line = (await get(url, '/metrics')).text.split('\n').find((candidate) => candidate.startsWith(`${name} `))
  return Number(line?.split(' ')[1])
}

/** What operating the server shows and needs, whatever the stores are. */
export function operation(open: OpenBacking): void {
  test('/health is live, /ready is reachable stores', async () => {
    const server = await startTestServer({}, open)
    expect((await get(server.url, '/health')).text).toBe('{"status":"ok"}')
    expect((await get(server.url, '/ready')).text).toBe('{"status":"ready"}')
    await server.close()
  })

  test('S10: /ready, /metrics and balances answer while a transaction holds the database', async () => {
    const server = await startTestServer({}, open)
    const occupied = await server.backing.occupy()
    const blocked = charge(server.url, 1, { amount: 1, idempotencyKey: 'blocked' })
    expect((await get(server.url, '/ready')).status).toBe(200)
    expect((await get(server.url, '/metrics')).status).toBe(200)
    expect(await balanceOf(server.url, 1)).toBe(0)
    await occupied.free()
    expect((await blocked).status).toBe(200)
    await server.close()
  })

  test('a lock not had in time: 409 with Retry-After; C6: other users are not held up', async () => {
    const server = await startTestServer({ limits: { lockWaitMs: 100 } }, open)
    const occupied = await server.backing.occupy()
    const holder = charge(server.url, 1, { amount: 1, idempotencyKey: 'holder' })
    await vi.waitFor(async () => expect(await metric(server.url, 'concurrency_kit_lock_wait_seconds_count')).toBe(1))
    const refused = await charge(server.url, 1, { amount: 1, idempotencyKey: 'waiter' })
    expect(refused.status).toBe(409)
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(refused.json).toMatchObject({
      code: 'PAY003',
      message: '다른 동일 요청이 처리 중입니다. 잠시 후 다시 시도해주세요',
    })
    const other = charge(server.url, 2, { amount: 1, idempotencyKey: 'other' })
    await vi.waitFor(async () => expect(await metric(server.url, 'concurrency_kit_lock_wait_seconds_count')).toBe(2))
    await occupied.free()
    expect((await holder).status).toBe(200)
    expect((await other).status).toBe(200)
    await server.close()
  })

  test('a client that goes away ends its wait for the lock, never a charge that has begun', async () => {
    const server = await startTestServer({}, open)
    const occupied = await server.backing.occupy()
    const leave = new AbortController()
    const send = (key: string) =>
      charge(server.url, 1, { amount: 1, idempotencyKey: key }, {}, leave.signal).catch(() => 'gone')
    const begun = send('begun')
    await vi.waitFor(async () => expect(await metric(server.url, 'concurrency_kit_lock_wait_seconds_count')).toBe(1))
    const waiting = send('waiting')
    const stays = charge(server.url, 1, { amount: 10, idempotencyKey: 'stays' })
    await vi.waitFor(async () => expect(await metric(server.url, 'demo_charges_running')).toBe(3))
    leave.abort()
    expect(await Promise.all([begun, waiting])).toEqual(['gone', 'gone'])
    // The waiting one has ended, while the one that has begun goes on.
    await vi.waitFor(async () => expect(await metric(server.url, 'demo_charges_running')).toBe(2))
    await occupied.free()
    expect((await stays).json.balance).toBe(11)
    await server.close()
  })

  test('the log tells the story of a charge, in these words', async () => {
    const lines: { msg: string; level: number }[] = []
    const log = pino({ level: 'info' }, { write: (line) => lines.push(JSON.parse(line)) })
    const server = await startTestServer({ log }, open)
    await charge(server.url, 1, { amount: 5, idempotencyKey: 'told' })
    await charge(server.url, 1, { amount: 5, idempotencyKey: 'told' })
    await charge(server.url, 1, { amount: 5, idempotencyKey: 'line\nbreak' })
    await server.close()
    expect(lines.map(({ msg }) => msg)).toEqual([
      'Charging balance for userId: 1, amount: 5, idempotencyKey: told',
      'Distributed lock acquired: balance:user:1',
      'Charge completed successfully. idempotencyKey: told',
      'Charging balance for userId: 1, amount: 5, idempotencyKey: told',
      'Charging balance for userId: 1, amount: 5, idempotencyKey: line\nbreak',
      'Distributed lock acquired: balance:user:1',
      'Charge completed successfully. idempotencyKey: line\nbreak',
    ])
  })

  test('C2: /metrics shows the work of each guard', async () => {
    const server = await startTestServer({}, open)
    const { url } = server
    await Promise.all(Array.from({ length: 20 }, (_, i) => charge(url, 1, { amount: 1, idempotencyKey: `m-${i}` })))
    await charge(url, 1, { amount: 1, idempotencyKey: 'm-0' })
    await charge(url, 1, { amount: 2, idempotencyKey: 'm-0' })
    const { text, headers } = await get(url, '/metrics')
    expect(headers.get('content-type')).toContain('text/plain')
    expect(await metric(url, 'concurrency_kit_lock_wait_seconds_count')).toBe(20)
    expect(await metric(url, 'concurrency_kit_lock_hold_seconds_count')).toBe(20)
    expect(await metric(url, 'concurrency_kit_idempotency_completed_total')).toBe(20)
    expect(await metric(url, 'concurrency_kit_idempotency_attempts_total')).toBe(20)
    expect(await metric(url, 'concurrency_kit_idempotency_replays_total')).toBe(1)
    expect(await metric(url, 'concurrency_kit_optimistic_updates_total')).toBe(20)
    expect(await metric(url, 'concurrency_kit_optimistic_conflicts_total')).toBe(0)
    expect(await metric(url, 'demo_charges_total')).toBe(21)
    expect(text).toContain('demo_errors_total{code="COMMON006",status="422"} 1')
    await server.close()
  })

  test('a restart keeps balances and answers, and seeds only the users that are missing', async () => {
    const before = await startTestServer({ users: 2 }, open)
    const body = { amount: 5, idempotencyKey: 'kept' }
    const first = await charge(before.url, 1, body)
    const after = await startTestServer({ users: 3 }, shared(before.backing))
    expect((await charge(after.url, 1, body)).text).toBe(first.text)
    expect(await Promise.all([1, 2, 3].map((id) => balanceOf(after.url, id)))).toEqual([5, 0, 0])
    await after.close()
    await before.close()
  })

  test('C8: an expired record is charged anew, and purged by the server', async () => {
    const server = await startTestServer({ limits: { recordRetentionMs: 1 } }, open)
    const body = { amount: 5, idempotencyKey: 'short-lived' }
    await charge(server.url, 1, body)
    await vi.waitFor(async () => expect((await charge(server.url, 1, body)).json.balance).toBeGreaterThan(5))
    const count = async () => {
      const [row] = await server.backing.sql<{ count: number }>(
        'SELECT count(*) AS count FROM charge_balance_idempotency',
      )
      return row?.count
    }
    expect(await count()).toBe(1)
    const again = await startTestServer({}, shared(server.backing))
    await vi.waitFor(async () => expect(await count()).toBe(0))
    await again.close()
    await server.close()
  })
}
