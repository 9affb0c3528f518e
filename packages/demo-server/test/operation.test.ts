import { expect, test } from 'vitest'
import { operation } from './operation-suite.ts'
import { embedded } from './support/backing.ts'
import { charge } from './support/client.ts'
import { startTestServer } from './support/in-process.ts'

operation(embedded)

test('a database that stays occupied: 503 with Retry-After, nothing charged, and the same key works later', async () => {
  const server = await startTestServer({ limits: { keyWaitMs: 100 } })
  const occupied = await server.backing.occupy()
  const body = { amount: 5, idempotencyKey: 'later' }
  const refused = await charge(server.url, 1, body)
  expect(refused.status).toBe(503)
  expect(refused.headers.get('retry-after')).toBe('1')
  expect(refused.json).toMatchObject({
    code: 'COMMON007',
    message: '일시적으로 처리할 수 없습니다. 잠시 후 다시 시도해주세요',
  })
  await occupied.free()
  expect((await charge(server.url, 1, body)).json.balance).toBe(5)
  await server.close()
})
