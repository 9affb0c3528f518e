import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test, vi } from 'vitest'
import { spawn } from '../../concurrency-kit/test/support/children.ts'
import { isAlive } from './support/child.ts'
import { get } from './support/client.ts'
import { temporaryFolder } from './support/temporary-folder.ts'

test('T1: Ctrl-C on the documented command stops the server itself, cleanly', { timeout: 60_000 }, async () => {
  const folder = temporaryFolder()
  // A process group of its own, as a terminal gives it: Ctrl-C is a SIGINT to all of the group.
  const command = spawn('npx', ['-y', 'pnpm@10', 'start'], {
    cwd: resolve(import.meta.dirname, '../../..'),
    env: { ...process.env, PORT: '0', DATABASE_URL: `sqlite:${join(folder, 'demo.db')}`, LOG_LEVEL: 'info' },
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const lines: { msg: string; pid: number }[] = []
  createInterface(command.stdout).on('line', (line) => {
    if (line.startsWith('{')) lines.push(JSON.parse(line))
  })
  const ended = once(command, 'close')
  await vi.waitFor(() => expect(lines.at(-1)?.msg).toContain('Listening on'), { timeout: 40_000 })
  const { msg, pid } = lines[0] as { msg: string; pid: number }
  expect(isAlive(pid)).toBe(true)
  process.kill(-(command.pid as number), 'SIGINT')
  await ended
  await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 10_000 })
  expect(lines.map((line) => line.msg).slice(1)).toEqual(['SIGINT: finishing what is running', 'Stopped'])
  await expect(get(msg.replace('Listening on ', ''), '/health')).rejects.toThrow()
  rmSync(folder, { recursive: true })
})
