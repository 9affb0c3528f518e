import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { OpenBacking } from './support/backing.ts'
import { type Answer, balanceOf, charge, get, sendRaw } from './support/client.ts'
import { startTestServer, type TestServer } from './support/in-process.ts'

/** As a person reads it in a query tool. */
const DATE_TIME = /^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d(:\d\d)?)?$/
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

function expectProblem(answer: Answer, status: number, code: string, message?: string): void {
  expect(answer.status).toBe(status)
  expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
  expect(answer.headers.get('vary')).toBe('Accept-Language')
  expect(answer.json).toEqual({
    code,
    message: message ?? expect.stringMatching(/[가-힣]/),
    timestamp: expect.stringMatching(ISO),
  })
  expect(answer.headers.has('retry-after')).toBe(status === 409 || status === 503)
}

/** What a client may rely on, whatever the stores are. */
export function httpContract(open: OpenBacking): void {
  let server: TestServer
  let url: string
  beforeAll(async () => {
    server = await startTestServer({}, open)
    url = server.url
  })
  afterAll(() => server?.close())

  describe('a charge', () => {
    test('answers with the receipt, in this order of fields', async () => {
      const first = await charge(url, 1, { amount: 10000, idempotencyKey: 'first' })
      expect(first.status).toBe(200)
      expect(first.headers.get('content-type')).toBe('application/json; charset=utf-8')
      expect(Object.entries(first.json)).toEqual([
        ['userId', 1],
        ['balance', 10000],
        ['chargedAmount', 10000],
        ['chargedAt', expect.stringMatching(ISO)],
      ])
      expect((await get(url, '/api/users/1/balance')).text).toBe('{"userId":1,"balance":10000}')
    })

    test('with a repeated key answers the same bytes and charges nothing', async () => {
      const body = { amount: 7, idempotencyKey: 'repeated' }
      const first = await charge(url, 2, body)
      for (const again of [await charge(url, 2, body), await charge(url, 2, { extra: 1, ...body })]) {
        expect(again.status).toBe(200)
        expect(again.text).toBe(first.text)
      }
      expect(await balanceOf(url, 2)).toBe(7)
    })

    test('with one key 100 times at once is made once, and answered 100 times alike', async () => {
      const requests = Array.from({ length: 100 }, () => charge(url, 3, { amount: 5, idempotencyKey: 'hundred' }))
      const answers = await Promise.all(requests)
      expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
      expect(answers[0]?.json).toMatchObject({ userId: 3, balance: 5, chargedAmount: 5 })
      expect(await balanceOf(url, 3)).toBe(5)
    })

    test('100 at once under keys of their own are all made', async () => {
      const requests = Array.from({ length: 100 }, (_, i) => charge(url, 4, { amount: 3, idempotencyKey: `own-${i}` }))
      const answers = await Promise.all(requests)
      expect(answers.map(({ status }) => status)).toEqual(Array(100).fill(200))
      expect(new Set(answers.map(({ json }) => json.balance)).size).toBe(100)
      expect(await balanceOf(url, 4)).toBe(300)
    })

    test('takes its key from the header too; where it came from makes no difference', async () => {
      const first = await charge(url, 5, { amount: 2 }, { 'idempotency-key': '"from header"' })
      expect(first.status).toBe(200)
      expect((await charge(url, 5, { amount: 2, idempotencyKey: 'from header' })).text).toBe(first.text)
      const both = await charge(
        url,
        5,
        { amount: 2, idempotencyKey: 'from header' },
        { 'idempotency-key': '"from header"' },
      )
      expect(both.text).toBe(first.text)
      const bare = await charge(url, 5, { amount: 4 }, { 'idempotency-key': 'bare' })
      expect(bare.json.balance).toBe(6)
    })

    test.each([
      ['10', 10],
      ['10.0', 10],
      ['1e1', 10],
    ])('amount %s is 10', async (text, amount) => {
      const answer = await charge(url, 6, `{"amount":${text},"idempotencyKey":"spelled-${text}"}`)
      expect(answer.json.chargedAmount).toBe(amount)
    })

    test('with bytes behind it that are no request is answered with its own receipt', async () => {
      const body = '{"amount":1,"idempotencyKey":"trailing"}'
      const head = 'POST /api/users/16/balance/charge HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n'
      const answer = await sendRaw(url, `${head}Content-Length: ${body.length}\r\n\r\n${body}garbage`)
      expect(answer.json).toMatchObject({ userId: 16, chargedAmount: 1 })
    })

    test('C4: two users with keys of their own do not share a balance', async () => {
      await charge(url, 7, { amount: 1, idempotencyKey: 'user-7' })
      await charge(url, 8, { amount: 2, idempotencyKey: 'user-8' })
      expect([await balanceOf(url, 7), await balanceOf(url, 8)]).toEqual([1, 2])
    })

    test('is shown COMPLETED in the table of records, with readable date-times', async () => {
      await charge(url, 9, { amount: 12, idempotencyKey: 'shown' })
      const rows = await server.backing.sql<Record<string, string>>(
        'SELECT idempotency_key, status, user_id, amount, created_at FROM charge_balance_idempotency ORDER BY created_at DESC',
      )
      const row = rows.find(({ idempotency_key }) => idempotency_key === 'shown')
      expect(row).toEqual({
        idempotency_key: 'shown',
        status: 'COMPLETED',
        user_id: 9,
        amount: 12,
        created_at: expect.stringMatching(DATE_TIME),
      })
      const [times] = await server.backing.sql<{ created_at: string; expires_at: string }>(
        "SELECT created_at, expires_at FROM charge_balance_idempotency WHERE idempotency_key = 'shown'",
      )
      expect(Date.parse(times?.expires_at ?? '') - Date.parse(times?.created_at ?? '')).toBe(24 * 60 * 60 * 1000)
    })
  })

  describe('the error table', () => {
    const missingKey = '멱등성 키는 필수입니다'
    const longKey = '멱등성 키는 100자를 초과할 수 없습니다'
    const missingAmount = '충전 금액은 필수입니다'
    const smallAmount = '충전 금액은 1원 이상이어야 합니다'

    test.each<[string, unknown, string?]>([
      ['key missing', { amount: 1 }, missingKey],
      ['key null', { amount: 1, idempotencyKey: null }, missingKey],
      ['key empty', { amount: 1, idempotencyKey: '' }, missingKey],
      ['key blank', { amount: 1, idempotencyKey: ' \t\u3000' }, missingKey],
      ['key of 101 characters', { amount: 1, idempotencyKey: 'k'.repeat(101) }, longKey],
      ['key with NUL', { amount: 1, idempotencyKey: 'a\0' }],
      ['key with a lone surrogate', '{"amount":1,"idempotencyKey":"\\ud800"}'],
      ['key a number', { amount: 1, idempotencyKey: 5 }],
      ['amount missing', { idempotencyKey: 'e' }, missingAmount],
      ['amount null', { idempotencyKey: 'e', amount: null }, missingAmount],
      ['amount 0', { idempotencyKey: 'e', amount: 0 }, smallAmount],
      ['amount -1', { idempotencyKey: 'e', amount: -1 }, smallAmount],
      ['amount -2^63', '{"idempotencyKey":"e","amount":-9223372036854775808}', smallAmount],
      ['C10: amount 1.5', { idempotencyKey: 'e', amount: 1.5 }],
      ['C10: amount 2^63 - 1', '{"idempotencyKey":"e","amount":9223372036854775807}'],
      ['amount 2^53', '{"idempotencyKey":"e","amount":9007199254740992}'],
      ['H2: amount 9007199254740990.6', '{"idempotencyKey":"e","amount":9007199254740990.6}'],
      ['H2: amount 1.00000000000000000001', '{"idempotencyKey":"e","amount":1.00000000000000000001}'],
      ['amount 1e400', '{"idempotencyKey":"e","amount":1e400}'],
      ['amount a string', { idempotencyKey: 'e', amount: '1' }],
      ['amount a list', { idempotencyKey: 'e', amount: [1] }],
      ['amount true', { idempotencyKey: 'e', amount: true }],
      ['amount twice', '{"idempotencyKey":"e","amount":1,"amount":1}'],
      ['amount twice, once escaped', '{"idempotencyKey":"e","amount":1,"\\u0061mount":2}'],
      ['body a list', '[]'],
      ['body null', 'null'],
      ['body a string', '"x"'],
      ['body a number', '1'],
      ['body empty', ''],
      ['C10: body no JSON', '{"amount":'],
      ['body with a name of __proto__', '{"__proto__":{"amount":1,"idempotencyKey":"p"}}', missingKey],
    ])('%s: 400', async (_what, body, message) => {
      expectProblem(await charge(url, 10, body), 400, 'COMMON002', message)
    })

    test.each([
      ['header and field differ', { 'idempotency-key': '"x"' }, { amount: 1, idempotencyKey: 'y' }],
      ['header malformed', { 'idempotency-key': '"x' }, { amount: 1 }],
      ['two headers', { 'idempotency-key': '"x", "y"' }, { amount: 1 }],
    ])('%s: 400', async (_what, headers, body) => {
      expectProblem(await charge(url, 10, body, headers), 400, 'COMMON002')
    })

    test.each([
      '0',
      '-1',
      '+1',
      '01',
      '1.0',
      '1e3',
      '%201',
      'abc',
      '9007199254740992',
      '9'.repeat(99),
      'null',
      '%00',
      '١',
    ])('userId %s: 400, naming the field', async (userId) => {
      const body = { amount: 1, idempotencyKey: 'e' }
      for (const answer of [await charge(url, userId, body), await get(url, `/api/users/${userId}/balance`)]) {
        expectProblem(answer, 400, 'COMMON002')
        expect(answer.json.message).toContain('userId')
      }
    })

    test('nothing of all that was charged', async () => {
      expect(await balanceOf(url, 10)).toBe(0)
    })

    test.each([
      ['H1: text/plain', { 'content-type': 'text/plain' }],
      ['form data', { 'content-type': 'application/x-www-form-urlencoded' }],
      ['no type that can be read', { 'content-type': ';;' }],
    ])('%s: 415', async (_what, headers) => {
      expectProblem(await charge(url, 10, { amount: 1, idempotencyKey: 'e' }, headers), 415, 'COMMON002')
    })

    test('H1: a bad escape in the URL: 400', async () => {
      expectProblem(await charge(url, '%ZZ', { amount: 1, idempotencyKey: 'e' }), 400, 'COMMON002')
      expectProblem(await get(url, '/api/users/%E0%A4%A/balance'), 400, 'COMMON002')
    })

    test('H1: a long parameter, and a URL beyond the limit of the parser: 414', async () => {
      expectProblem(await get(url, `/api/users/${'1'.repeat(101)}/balance`), 414, 'COMMON002')
      expectProblem(await sendRaw(url, `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`), 414, 'COMMON002')
    })

    test('H1: headers beyond the limit of the parser: 431', async () => {
      expectProblem(
        await sendRaw(url, `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`),
        431,
        'COMMON002',
      )
    })

    test('H1: a body beyond 16 KiB: 413, told or not', async () => {
      const body = JSON.stringify({ amount: 1, idempotencyKey: 'e', padding: 'x'.repeat(17_000) })
      expectProblem(await charge(url, 10, body), 413, 'COMMON002')
      const chunked = `POST /api/users/10/balance/charge HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`
      const chunk = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
      expectProblem(await sendRaw(url, [chunked, chunk]), 413, 'COMMON002')
    })

    test.each([
      [
        'H1: a Content-Length that is no number',
        'POST /api/users/10/balance/charge HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n',
      ],
      ['two lengths', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'],
      ['no HTTP at all', 'hello\r\n\r\n'],
      ['a method that does not exist', 'FOO / HTTP/1.1\r\nHost: a\r\n\r\n'],
      ['no Host', 'GET /health HTTP/1.1\r\nConnection: close\r\n\r\n'],
      ['a line feed in a header name', 'GET / HTTP/1.1\r\nHo\nst: a\r\n\r\n'],
    ])('%s: 400', async (_what, bytes) => {
      expectProblem(await sendRaw(url, bytes), 400, 'COMMON002')
    })

    test('an expectation that nobody knows: 417', async () => {
      expectProblem(
        await sendRaw(url, 'GET / HTTP/1.1\r\nHost: a\r\nExpect: magic\r\nConnection: close\r\n\r\n'),
        417,
        'COMMON002',
      )
    })

    test.each(['/', '/api/users/1', '/api/users/1/balance/charge', '/api/users/1/balance/', '/favicon.ico', '/a?b=c'])(
      'C10: GET %s: 404',
      async (path) => {
        expectProblem(await get(url, path), 404, 'COMMON003', '리소스를 찾을 수 없습니다')
      },
    )

    test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('%s where there is no such route: 404', async (method) => {
      const body = method === 'OPTIONS' ? null : 'whatever'
      expectProblem(await get(url, '/api/users/1/balance', { method, body }), 404, 'COMMON003')
    })

    test('CONNECT: 404', async () => {
      expectProblem(await sendRaw(url, 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n'), 404, 'COMMON003')
    })

    test('an unknown user: 404', async () => {
      const unknown = '사용자를 찾을 수 없습니다'
      expectProblem(await get(url, '/api/users/999999/balance'), 404, 'U001', unknown)
      expectProblem(await charge(url, 999_999, { amount: 1, idempotencyKey: 'unknown user' }), 404, 'U001', unknown)
    })

    test('C8: an unknown user does not take the key along', async () => {
      expectProblem(await charge(url, 999_999, { amount: 1, idempotencyKey: 'kept' }), 404, 'U001')
      expectProblem(await charge(url, 999_999, { amount: 1, idempotencyKey: 'kept' }), 404, 'U001')
      expect((await charge(url, 11, { amount: 1, idempotencyKey: 'kept' })).status).toBe(200)
    })

    test('a balance beyond 2^53 - 1: 400, and the key is not used up', async () => {
      const most = Number.MAX_SAFE_INTEGER
      expect((await charge(url, 12, { amount: most - 5, idempotencyKey: 'nearly full' })).json.balance).toBe(most - 5)
      const tooMuch = await charge(url, 12, { amount: 6, idempotencyKey: 'overflow' })
      expectProblem(tooMuch, 400, 'U002', '충전 금액이 올바르지 않습니다')
      expect((await charge(url, 12, { amount: 5, idempotencyKey: 'overflow' })).json.balance).toBe(most)
      expect(await balanceOf(url, 12)).toBe(most)
    })

    test('C7: a key that another amount or another user has used: 422', async () => {
      expect((await charge(url, 13, { amount: 1, idempotencyKey: 'used' })).status).toBe(200)
      const reused = '같은 멱등성 키가 다른 요청에 사용되었습니다'
      expectProblem(await charge(url, 13, { amount: 2, idempotencyKey: 'used' }), 422, 'COMMON006', reused)
      expectProblem(await charge(url, 14, { amount: 1, idempotencyKey: 'used' }), 422, 'COMMON006', reused)
      expect([await balanceOf(url, 13), await balanceOf(url, 14)]).toEqual([1, 0])
    })

    test('I10: two equal orders under two keys are two charges', async () => {
      await charge(url, 15, { amount: 1, idempotencyKey: 'order a' })
      await charge(url, 15, { amount: 1, idempotencyKey: 'order b' })
      expect(await balanceOf(url, 15)).toBe(2)
    })

    test('messages are English where Accept-Language prefers it', async () => {
      const headers = { 'accept-language': 'en-US,en;q=0.9' }
      expectProblem(await charge(url, 1, {}, headers), 400, 'COMMON002', 'An idempotency key is required')
      expectProblem(await get(url, '/none', { headers }), 404, 'COMMON003', 'Resource not found')
      expectProblem(await charge(url, '%ZZ', {}, headers), 400, 'COMMON002', 'The URL has an invalid escape')
    })

    test('HEAD answers as GET, without a body', async () => {
      const head = await get(url, '/api/users/1/balance', { method: 'HEAD' })
      expect([head.status, head.text]).toEqual([200, ''])
      expect((await get(url, '/none', { method: 'HEAD' })).status).toBe(404)
    })

    test('anything unforeseen: 500, and no word of what it was', async () => {
      const broken = await startTestServer({}, open)
      await broken.backing.sql('DROP TABLE users')
      const message = '서버 내부 오류가 발생했습니다'
      expectProblem(await get(broken.url, '/api/users/1/balance'), 500, 'COMMON001', message)
      expectProblem(await charge(broken.url, 1, { amount: 1, idempotencyKey: 'x' }), 500, 'COMMON001', message)
      await broken.close()
    })
  })
}
