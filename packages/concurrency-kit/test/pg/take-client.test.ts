import { once } from 'node:events'
import { createServer } from 'node:net'
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { pgAdvisoryLockStore, pgIdempotencyStore } from '../../src/entries/pg.ts'
import { isStoreError } from '../../src/errors.ts'
import { findReplay } from '../../src/idempotency/find-replay.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { withDistributedLock } from '../../src/lock/with-distributed-lock.ts'

/** What a Postgres that is shutting down may say in one piece: the connection is ready, and is terminated. */
function readyAndTerminated(): Buffer {
  const message = (kind: string, body: Buffer) => {
    const head = Buffer.alloc(5, kind)
    head.writeInt32BE(4 + body.length, 1)
    return Buffer.concat([head, body])
  }
  const fields = ['SFATAL', 'VFATAL', 'C57P01', 'Mterminating connection due to administrator command', '']
  return Buffer.concat([
    message('R', Buffer.alloc(4)),
    message('Z', Buffer.from('I')),
    message('E', Buffer.from(fields.map((field) => `${field}\0`).join(''))),
  ])
}

/** A real one cannot be made to say it in one piece. */
const server = createServer((socket) => {
  socket.on('error', () => {})
  socket.once('data', () => socket.end(readyAndTerminated()))
})
let pool: pg.Pool
let uncaught: unknown[]
const onUncaught = (error: unknown) => void uncaught.push(error)

beforeEach(async () => {
  uncaught = []
  process.on('uncaughtException', onUncaught)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as { port: number }
  pool = new pg.Pool({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres' })
  pool.on('error', () => {})
})
afterEach(async () => {
  process.off('uncaughtException', onUncaught)
  server.close()
  await pool.end()
})

test('L10: a new connection that breaks as it becomes ready fails the call, and never ends the process', async () => {
  const store = pgIdempotencyStore({ pool, commandMs: 200 })
  const find = findReplay({ store, key: 'a' }).catch((error) => error)
  expect(isStoreError(await find)).toBe(true)
  const call = withIdempotency({ store, key: 'a', maxAttempts: 2 }, async () => 1).catch((error) => error)
  expect(await call).toMatchObject({ code: 'TRANSACTION_RETRIES', attempts: 2 })
  expect([uncaught, pool.totalCount]).toEqual([[], 0])
})

test('L10: nor does the connection of the advisory locks', async () => {
  const store = pgAdvisoryLockStore({ pool, commandMs: 200 })
  const call = withDistributedLock({ store, key: 'a', waitMs: 0 }, async () => 1)
  await expect(call).rejects.toMatchObject({ code: 'STORE_ERROR', cause: { code: '57P01' } })
  await store.close()
  expect([uncaught, pool.totalCount]).toEqual([[], 0])
})
