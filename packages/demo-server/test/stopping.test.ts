import { once } from 'node:events'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, expect, test, vi } from 'vitest'
import { occupySqlite } from './support/backing.ts'
import { isAlive, spawnServer, startServerProcess } from './support/child.ts'
import { charge, get } from './support/client.ts'
import { temporaryFolder } from './support/temporary-folder.ts'

const folder = temporaryFolder()
afterAll(() => rmSync(folder, { recursive: true }))

/** Charges that have begun, or wait for their lock, as long as this holds SQLite's write lock. */
async function holdUp(url: string, file: string, count: number) {
  const occupied = occupySqlite(file)
  const charges = Array.from({ length: count }, (_, i) => charge(url, 1, { amount: 1, idempotencyKey: `held-${i}` }))
  await vi.waitFor(async () => expect((await get(url, '/metrics')).text).toContain(`demo_charges_running ${count}`))
  return { charges, release: occupied.free }
}

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s: the requests that run are answered, new ones are not taken, the database is closed, the exit is clean',
  async (signal) => {
    const file = join(folder, signal, 'made', 'demo.db')
    const server = await startServerProcess({ DATABASE_URL: `sqlite:${file}` })
    const held = await holdUp(server.url, file, 20)
    process.kill(server.pid, signal)
    await vi.waitFor(() => expect(server.lines.at(-1)?.msg).toContain(signal))
    await vi.waitFor(() => expect(get(server.url, '/health')).rejects.toThrow())
    held.release()
    const answers = await Promise.all(held.charges)
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200))
    expect(await server.exited).toEqual({ code: 0, signal: null })
    expect(isAlive(server.pid)).toBe(false)
    // SQLite folds its log into the database when the last connection is closed.
    expect(existsSync(file)).toBe(true)
    expect(existsSync(`${file}-wal`)).toBe(false)
  },
)

test('a second signal ends it at once', async () => {
  const file = join(folder, 'second.db')
  const server = await startServerProcess({ DATABASE_URL: `sqlite:${file}` })
  const held = await holdUp(server.url, file, 1)
  process.kill(server.pid, 'SIGINT')
  await vi.waitFor(() => expect(server.lines.at(-1)?.msg).toContain('SIGINT'))
  expect(isAlive(server.pid)).toBe(true)
  const unanswered = expect(held.charges[0]).rejects.toThrow()
  process.kill(server.pid, 'SIGTERM')
  expect(await server.exited).toEqual({ code: null, signal: 'SIGTERM' })
  await unanswered
  held.release()
})

test('1000 idle connections do not hold it up', async () => {
  const server = await startServerProcess({ DATABASE_URL: `sqlite:${join(folder, 'idle.db')}`, LOG_LEVEL: 'info' })
  const agent = new Agent({ keepAlive: true, maxSockets: 1000, maxFreeSockets: 1000 })
  const ask = async () => {
    const [response] = await once(request(`${server.url}/health`, { agent }).end(), 'response')
    return text(response)
  }
  await Promise.all(Array.from({ length: 1000 }, ask))
  expect(Object.values(agent.freeSockets).flat()).toHaveLength(1000)
  const startedMs = performance.now()
  process.kill(server.pid, 'SIGTERM')
  expect(await server.exited).toEqual({ code: 0, signal: null })
  expect(performance.now() - startedMs).toBeLessThan(2_000)
  agent.destroy()
})

test('connections that have sent nothing, or half a request, do not hold it up', async () => {
  const server = await startServerProcess({ DATABASE_URL: `sqlite:${join(folder, 'silent.db')}` })
  const { hostname, port } = new URL(server.url)
  const sockets = [connect(Number(port), hostname), connect(Number(port), hostname)]
  await Promise.all(sockets.map((socket) => once(socket, 'connect')))
  sockets[1]?.write('POST /api/users/1/balance/charge HTTP/1.1\r\nHost:')
  await get(server.url, '/health')
  const startedMs = performance.now()
  process.kill(server.pid, 'SIGTERM')
  expect(await server.exited).toEqual({ code: 0, signal: null })
  expect(performance.now() - startedMs).toBeLessThan(2_000)
})

test('a setting that is wrong ends it with one line that names the variable', async () => {
  const child = spawnServer({ REDIS_URL: 'localhost' })
  const [errors, [code]] = await Promise.all([text(child.stderr as NodeJS.ReadableStream), once(child, 'exit')])
  expect(code).toBe(1)
  expect(errors).toMatch(/^REDIS_URL must be .*\n$/)
})

test('a port or a database that cannot be had ends it, and says so', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as { port: number }
  mkdirSync(join(folder, 'folder.db'))
  for (const env of [
    { PORT: String(port), DATABASE_URL: `sqlite:${join(folder, 'port.db')}` },
    { DATABASE_URL: `sqlite:${join(folder, 'folder.db')}` },
  ]) {
    const child = spawnServer(env)
    const [errors, [code]] = await Promise.all([text(child.stderr as NodeJS.ReadableStream), once(child, 'exit')])
    expect(code).toBe(1)
    expect(errors).toMatch(/EADDRINUSE|SQLITE_CANTOPEN/)
  }
  other.close()
})
