import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { spawn } from '../../../concurrency-kit/test/support/children.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

export interface ServerProcess {
  readonly url: string
  readonly pid: number
  /** Its log lines so far. */
  readonly lines: readonly Record<string, unknown>[]
  /** Resolves when the process is gone. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
}

/** T1: started by `process.execPath`, no shell and no wrapper between, so that a signal reaches the server itself. */
export function spawnServer(env: Record<string, string>): ChildProcess {
  return spawn(process.execPath, ['--conditions=concurrency-kit-source', main], {
    env: { PATH: process.env.PATH, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

export async function startServerProcess(env: Record<string, string>): Promise<ServerProcess> {
  const child = spawnServer(env)
  const lines: Record<string, unknown>[] = []
  const exited = once(child, 'exit').then(([code, signal]) => ({ code, signal }))
  let errors = ''
  child.stderr?.on('data', (chunk) => {
    errors += chunk
  })
  const url = await new Promise<string>((resolve, reject) => {
    if (child.stdout === null) throw new Error('no stdout')
    createInterface(child.stdout).on('line', (line) => {
      const entry = JSON.parse(line)
      lines.push(entry)
      const listening = /^Listening on (\S+)$/.exec(entry.msg)
      if (listening?.[1] !== undefined) resolve(listening[1])
    })
    exited.then(() => reject(new Error(`the server ended before it listened: ${errors}`)))
  })
  return { url, pid: child.pid as number, lines, exited }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
