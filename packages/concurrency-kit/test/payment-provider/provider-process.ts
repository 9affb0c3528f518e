import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { spawn } from '../support/children.ts'
import { example } from './payer.ts'

/** The example's provider, which is started again at its place whenever it was killed. */
export class ProviderProcess {
  port = 0
  /** Resolves when it listens. */
  up: Promise<void>
  readonly folder = mkdtempSync(path.join(tmpdir(), 'concurrency-kit-provider-'))
  readonly #file = path.join(this.folder, 'charges.jsonl')
  #child: ChildProcess

  constructor() {
    this.#child = this.#spawn()
    this.up = this.#listening()
  }

  async kill(): Promise<void> {
    await this.#end()
    this.#child = this.#spawn()
    this.up = this.#listening()
  }

  /** The ids of what it has charged for the order, on the disk. */
  charged(order: string): string[] {
    const lines = readFileSync(this.#file, { encoding: 'utf8', flag: 'a+' }).split('\n')
    return lines.filter((line) => line.includes(order)).map((line) => JSON.parse(line).id)
  }

  async close(): Promise<void> {
    await this.#end()
    rmSync(this.folder, { recursive: true })
  }

  /** T1: by `process.execPath`, so that a signal reaches the process itself. */
  #spawn(): ChildProcess {
    return spawn(process.execPath, [example('provider.ts'), String(this.port), this.#file], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  }

  async #listening(): Promise<void> {
    const [line] = await once(createInterface(this.#child.stdout as Readable), 'line')
    this.port = Number(/^listening on (\d+)$/.exec(line)?.[1])
  }

  async #end(): Promise<void> {
    this.#child.kill('SIGKILL')
    if (this.#child.signalCode === null) await once(this.#child, 'exit')
  }
}
