import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { startServerProcess } from './support/child.ts'
import { balanceOf, get, pipeline } from './support/client.ts'
import { temporaryFolder } from './support/temporary-folder.ts'

const REQUESTS = 60

const folder = temporaryFolder()
afterAll(() => rmSync(folder, { recursive: true }))

/** As many charges of 1 at once, each sent twice under its key, to a server process of its own. */
async function race(name: string, switches: { LOCK?: 'off'; VERSION_CHECK?: 'off'; IDEMPOTENCY?: 'off' }) {
  const { url, pid, exited } = await startServerProcess({ ...switches, DATABASE_URL: `sqlite:${join(folder, name)}` })
  const keys = Array.from({ length: REQUESTS }, (_, i) => `race-${i}`)
  const bodies = [...keys, ...keys].map((idempotencyKey) => JSON.stringify({ amount: 1, idempotencyKey }))
  const statuses = await pipeline(url, '/api/users/1/balance/charge', bodies)
  const metrics = (await get(url, '/metrics')).text
  const conflicts = Number(/concurrency_kit_optimistic_conflicts_total (\d+)/.exec(metrics)?.[1])
  const balance = await balanceOf(url, 1)
  process.kill(pid, 'SIGTERM')
  await exited
  return { acknowledged: statuses.filter((status) => status === 200).length, balance, conflicts }
}

test('with all guards: every key is charged once, without conflicts', async () => {
  expect(await race('all', {})).toEqual({ acknowledged: 2 * REQUESTS, balance: REQUESTS, conflicts: 0 })
})

test('without the idempotency key: every request is charged, retries too', async () => {
  const { acknowledged, balance } = await race('no-key', { IDEMPOTENCY: 'off' })
  expect(acknowledged).toBe(2 * REQUESTS)
  expect(balance).toBe(2 * REQUESTS)
})

test('C2: without the lock there are conflicts, and the version check still loses nothing', async () => {
  const { acknowledged, balance, conflicts } = await race('version', { IDEMPOTENCY: 'off', LOCK: 'off' })
  expect(acknowledged).toBe(2 * REQUESTS)
  expect(balance).toBe(acknowledged)
  expect(conflicts).toBeGreaterThan(0)
})

test('without lock and version check updates are lost', async () => {
  const { acknowledged, balance, conflicts } = await race('none', {
    IDEMPOTENCY: 'off',
    LOCK: 'off',
    VERSION_CHECK: 'off',
  })
  expect(acknowledged).toBe(2 * REQUESTS)
  expect(balance).toBeLessThan(acknowledged)
  expect(conflicts).toBe(0)
})

test('without the version check alone, lock and key still keep the balance right', async () => {
  expect(await race('no-version', { VERSION_CHECK: 'off' })).toMatchObject({
    acknowledged: 2 * REQUESTS,
    balance: REQUESTS,
  })
})

test('without lock and version check a transaction of its own still takes its turn (SQLite has one writer)', async () => {
  const { acknowledged, balance } = await race('key-alone', { LOCK: 'off', VERSION_CHECK: 'off' })
  expect(acknowledged).toBe(2 * REQUESTS)
  expect(balance).toBe(REQUESTS)
})
