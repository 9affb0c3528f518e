import type { ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fork } from '../support/children.ts'
import { type Event, type Role, type StoreName, TTL_MS } from './role.ts'
import { makeTables } from './stores.ts'

/** Times in ms on a clock that all processes share. */
export interface Lost {
  /** When the holder's `assertHeld` passed for the last time. */
  readonly heldMs: number
  readonly knewMs: number
  /** Whether `signal` said the same. */
  readonly aborted: boolean
  /** When the other process had the key. */
  readonly takenMs: number
  /** Whether the other's write was accepted, and the old holder's after it. */
  readonly written: boolean
  readonly lateWrite: boolean
}

export interface Place {
  readonly store: StoreName
  /** A URL; on SQLite a file is made. */
  readonly where?: string
  /** Of the processes: makes them share a clock that can be stepped. */
  readonly env?: NodeJS.ProcessEnv
  /** Steps the clock that leases end by. */
  readonly stepServer?: (ms: number) => void
}

/** A process holds a key, another waits for it, and something happens; undefined where the holder has it still after three leases. */
export async function lose(place: Place, event: Event, stepMs = 0): Promise<Lost | undefined> {
  const folder = mkdtempSync(path.join(tmpdir(), 'concurrency-kit-losses-'))
  const { store, where = path.join(folder, 'locks.db') } = place
  place.stepServer?.(0)
  await makeTables({ store, where })
  const role = { store, where, registers: path.join(folder, 'registers.db'), key: `losing:${randomUUID()}` }
  const children: Child[] = []
  const start = (is: Role['is']) => {
    const child = new Child({ ...role, is }, place.env)
    children.push(child)
    return child
  }
  try {
    const holder = start('holder')
    await holder.heard('token')
    const rival = start('rival')
    await rival.heard('waits')
    await pause(TTL_MS / 2)
    if (event === 'SIGSTOP') {
      holder.process.kill('SIGSTOP')
      await pause(2 * TTL_MS)
      holder.process.kill('SIGCONT')
    } else if (event.startsWith('server')) place.stepServer?.(stepMs)
    else holder.process.send(event)
    const over = await Promise.race([rival.heard('takenMs').then(() => true), pause(3 * TTL_MS, false)])
    if (!over) return undefined
    await holder.heard('knewMs')
    holder.process.send('write')
    await holder.heard('lateWrite')
    return Object.assign({}, ...holder.messages, ...rival.messages)
  } finally {
    await Promise.all(children.map((child) => child.end()))
    rmSync(folder, { recursive: true })
  }
}

class Child {
  readonly process: ChildProcess
  readonly messages: object[] = []

  constructor(role: Role, env: NodeJS.ProcessEnv = {}) {
    const options = { execArgv: [], env: { ...process.env, ...env } }
    this.process = fork(path.join(import.meta.dirname, 'child.ts'), [JSON.stringify(role)], options)
    this.process.on('message', (message: object) => this.messages.push(message))
  }

  async heard(what: string): Promise<void> {
    while (!this.messages.some((message) => what in message)) {
      const [code] = await Promise.race([once(this.process, 'message'), once(this.process, 'exit')])
      if (typeof code === 'number') throw new Error(`a process ended by itself with ${code}`)
    }
  }

  async end(): Promise<void> {
    if (this.process.exitCode !== null) return
    const ended = once(this.process, 'exit')
    this.process.kill('SIGKILL')
    await ended
  }
}
