import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { fork } from '../support/children.ts'
import type { Instance, Opening, Order, Outcome, Provider } from './charge.ts'
import type { StoreName } from './openers.ts'
import type { Heard, Moment } from './points.ts'
import { Remote } from './remote.ts'

const program = fileURLToPath(new URL('child.ts', import.meta.url))

/** A child process that charges. */
export class ChildInstance implements Instance {
  readonly died: Promise<void>
  readonly #child: ChildProcess
  readonly #remote: Remote
  #killed = false

  private constructor(child: ChildProcess, provider: Provider, ready: () => void) {
    this.#child = child
    this.#remote = new Remote(child, {
      ready,
      charge: (order: Order) => provider.charge(order),
      find: (key: string) => provider.find(key),
    })
    this.died = once(child, 'exit').then(([code, signal]) => {
      this.#remote.end(new Error(`the process ended with ${signal ?? code}`))
      this.#killed = signal === 'SIGKILL'
    })
  }

  /** T1: by `process.execPath`, so that a signal reaches the process itself. */
  static async start(store: StoreName, provider: Provider): Promise<ChildInstance> {
    const child = fork(program, [store], {
      execPath: process.execPath,
      execArgv: ['--conditions=concurrency-kit-source'],
      env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: path.join(tmpdir(), 'concurrency-kit-crash-matrix') },
    })
    return new Promise((resolve, reject) => {
      const instance: ChildInstance = new ChildInstance(child, provider, () => resolve(instance))
      void instance.died.then(() => reject(new Error('the process ended before it was ready')))
    })
  }

  open(opening: Opening): Promise<void> {
    return this.#remote.call('open', opening)
  }

  async charge(order: Order): Promise<Outcome> {
    try {
      return await this.#remote.call<Outcome>('charge', order)
    } catch (error) {
      await this.died
      return this.#killed ? { status: 'died' } : { status: 'error', code: 'none', message: String(error) }
    }
  }

  heard(): Promise<readonly Heard[]> {
    return this.#remote.call('heard')
  }

  arm(trap?: { readonly statement: number; readonly moment: Moment }): Promise<void> {
    return this.#remote.call('arm', trap)
  }

  close(): Promise<void> {
    return this.#remote.call('close')
  }

  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child.kill('SIGCONT')
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.died
  }
}
