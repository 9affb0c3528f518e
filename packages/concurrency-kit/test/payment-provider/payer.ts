import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { spawn } from '../support/children.ts'

export type Mode = 'rerun' | 'refuse' | 'probe'

export type Outcome =
  | { readonly status: 'paid'; readonly answer: string }
  | { readonly status: 'told'; readonly what: string }
  | { readonly status: 'died' }

export interface Payment {
  readonly order: string
  readonly mode: Mode
  readonly providerPort: number
  readonly recordsUrl: string
  /** For `preload.ts`. */
  readonly preload?: Record<string, string> | undefined
}

/** How long an owner that went silent counts as alive; no less than a loaded machine takes for a process to begin. */
export const LEASE_MS = 2_000

export function example(program: string): string {
  return path.resolve(import.meta.dirname, '../../../../examples/payment-provider', program)
}

const preloaded = fileURLToPath(new URL('preload.ts', import.meta.url))

/** The example's payer, a process for each payment. */
export class Payer {
  readonly outcome: Promise<Outcome>
  readonly #child: ChildProcess
  readonly #gone: Promise<unknown>

  constructor({ order, mode, providerPort, recordsUrl, preload }: Payment) {
    const flags = ['--conditions=concurrency-kit-source', '--import', preloaded]
    this.#child = spawn(process.execPath, [...flags, example('pay.ts'), order, '10000', mode], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        NODE_COMPILE_CACHE: path.join(tmpdir(), 'concurrency-kit-payment-provider'),
        PROVIDER_URL: `http://127.0.0.1:${providerPort}`,
        RECORDS_URL: recordsUrl,
        LEASE_MS: String(LEASE_MS),
        ...preload,
      },
    })
    this.#gone = once(this.#child, 'close')
    this.outcome = this.#end()
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#gone
  }

  async #end(): Promise<Outcome> {
    const { stdout, stderr } = this.#child
    const [answer, what] = await Promise.all([text(stdout as never), text(stderr as never), this.#gone])
    if (this.#child.signalCode === 'SIGKILL') return { status: 'died' }
    return this.#child.exitCode === 0 ? { status: 'paid', answer: answer.trim() } : { status: 'told', what }
  }
}
