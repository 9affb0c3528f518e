import { type ChildProcess, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import pg from 'pg'
import { spawn } from './children.ts'
import { freePorts } from './containers.ts'

/** Whether the machine has PgBouncer; without it the tests of it are skipped, in one line that says so. */
export const pgBouncerIsThere = spawnSync('pgbouncer', ['--version']).status === 0

if (!pgBouncerIsThere && process.env.CI === 'true') throw new Error('no pgbouncer: with CI=true every suite must run')
if (!pgBouncerIsThere) console.log('There is no pgbouncer on this machine: its tests are skipped.')

export interface PgBouncer {
  readonly url: string
  stop(): Promise<void>
}

/** A PgBouncer on 127.0.0.1 before the database of `url`. */
export async function startPgBouncer(url: string, poolMode: 'session' | 'transaction'): Promise<PgBouncer> {
  const { hostname, port: target, username, pathname } = new URL(url)
  const [port = 0] = await freePorts(1)
  const folder = mkdtempSync(path.join(tmpdir(), 'pgbouncer-'))
  const config = path.join(folder, 'pgbouncer.ini')
  writeFileSync(
    config,
    `[databases]
${pathname.slice(1)} = host=${hostname} port=${target} user=${username}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${poolMode}
`,
    { mode: 0o644 },
  )
  const isRoot = process.getuid?.() === 0
  // Started by root it insists on another user, who has to be able to read the file.
  if (isRoot) spawnSync('chmod', ['755', folder])
  const child = spawn('pgbouncer', [...(isRoot ? ['-u', 'nobody'] : []), config], { stdio: 'ignore' })
  const bouncer = { url: `postgres://${username}@127.0.0.1:${port}${pathname}`, stop: () => stop(child, folder) }
  await untilAnswering(bouncer.url, child)
  return bouncer
}

async function untilAnswering(connectionString: string, child: ChildProcess): Promise<void> {
  for (;;) {
    const client = new pg.Client({ connectionString })
    client.on('error', () => {})
    try {
      await client.connect()
      await client.end()
      return
    } catch (error) {
      if (child.exitCode !== null) throw error
      await setTimeout(20)
    }
  }
}

async function stop(child: ChildProcess, folder: string): Promise<void> {
  const exit = once(child, 'exit')
  if (child.kill('SIGKILL')) await exit
  rmSync(folder, { recursive: true })
}
