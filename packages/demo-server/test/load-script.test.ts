import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { installedK6 } from '../src/demo/find-k6.ts'
import { runK6 } from '../src/demo/run-k6.ts'
import { startTestServer } from './support/in-process.ts'

const k6 = installedK6()
if (k6 === undefined) {
  if (process.env.CI) throw new Error('CI needs k6: set K6 to its path, or put it on the PATH')
  console.warn('k6 is not installed: the tests of the load scripts are skipped')
}

/** Answers every request with the same, whatever it is. */
async function answering(status: number, body: object) {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(status).end(JSON.stringify(body)))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() }
}

function load(url: string, script = 'balance-charge') {
  if (k6 === undefined) throw new Error('skipped without k6')
  const options = { BASE_URL: url, THINK_SECONDS: 0, USER_COUNT: 2 }
  return runK6(k6, script, options, { flags: ['--vus', '6', '--iterations', '30'] })
}

describe.skipIf(k6 === undefined)('the load script', () => {
  let server: Awaited<ReturnType<typeof startTestServer>>
  beforeAll(async () => {
    server = await startTestServer()
  })
  afterAll(() => server?.close())

  test.each(['balance-charge', 'single-user', 'repeated-keys'])(
    '%s passes where every charge is right',
    async (script) => {
      const result = await load(server.url, script)
      expect(result).toMatchObject({ passed: true, checks: 1, errors: 0 })
      expect(result.acknowledged.length).toBe(result.requests)
    },
  )

  test('C12: its virtual users meet: there are several for each user', async () => {
    const { acknowledged } = await load(server.url)
    expect(new Set(acknowledged.map(({ userId }) => userId))).toEqual(new Set([1, 2]))
    expect(new Set(acknowledged.map(({ key }) => key)).size).toBe(30)
  })

  test('several instances: every copy of a key goes to another', async () => {
    const stubs = await Promise.all([1, 2, 3, 4].map((balance) => answering(200, { balance, chargedAmount: 1 })))
    const { acknowledged } = await load(stubs.map(({ url }) => url).join(), 'repeated-keys')
    const instances = Map.groupBy(acknowledged, ({ key }) => key)
    for (const answers of instances.values()) {
      expect(new Set(answers.map(({ balance }) => balance))).toEqual(new Set([1, 2, 3, 4]))
    }
    expect(instances.size).toBe(30)
    for (const stub of stubs) stub.close()
  })

  test('several instances: what is not answered is repeated at the next', async () => {
    const stub = await answering(503, {})
    const result = await load(`${stub.url},${server.url}`)
    expect(new Set(result.acknowledged.map(({ key }) => key)).size).toBe(30)
    expect(result.checks).toBe(1)
    expect(result.errors).toBeGreaterThan(0)
    stub.close()
  })

  test('C12: it fails where charges are refused: its rates are fed by every answer', async () => {
    const stub = await answering(409, { code: 'COMMON005' })
    expect(await load(stub.url)).toMatchObject({ passed: false, errors: 1, acknowledged: [] })
    stub.close()
  })

  test('C12: it fails where a 200 does not have the charge in it', async () => {
    const stub = await answering(200, { userId: 1, balance: 5, chargedAmount: 5, chargedAt: 'now' })
    const result = await load(stub.url)
    expect(result.passed).toBe(false)
    expect(result.checks).toBeCloseTo(2 / 3)
    stub.close()
  })
})
