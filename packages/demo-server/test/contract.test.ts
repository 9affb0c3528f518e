import { expect, test } from 'vitest'
import { httpContract } from './http-contract.ts'
import { embedded } from './support/backing.ts'
import { charge } from './support/client.ts'
import { startTestServer } from './support/in-process.ts'

httpContract(embedded)

test('versions that still conflict after all attempts: 409 with Retry-After, and nothing is charged', async () => {
  const server = await startTestServer({}, embedded)
  // To the server it looks as if somebody else had always written before.
  await server.backing.sql(`CREATE TRIGGER elsewhere BEFORE UPDATE ON users WHEN NEW.balance <> OLD.balance
    BEGIN SELECT RAISE(IGNORE); END`)
  const refused = await charge(server.url, 1, { amount: 5, idempotencyKey: 'conflicting' })
  expect(refused.status).toBe(409)
  expect(refused.headers.get('retry-after')).toBe('1')
  expect(refused.json).toMatchObject({
    code: 'COMMON005',
    message: '동시 요청으로 인해 처리에 실패했습니다. 잠시 후 다시 시도해주세요',
  })
  await server.backing.sql('DROP TRIGGER elsewhere')
  expect((await charge(server.url, 1, { amount: 5, idempotencyKey: 'conflicting' })).json.balance).toBe(5)
  await server.close()
})
