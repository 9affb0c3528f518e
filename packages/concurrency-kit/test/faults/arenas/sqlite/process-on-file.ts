import type { ChildProcess, ForkOptions } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { fork } from '../../../support/children.ts'
import type { Contestant, Stage } from '../../arena.ts'
import type { Report } from '../../observer.ts'

/** A process of its own (`child.ts`) whose callers contend on a database file. */
export class ProcessOnFile implements Contestant {
  readonly lines = []
  readonly #files: readonly string[]
  #child: ChildProcess | undefined
  #stage: Stage | undefined
  #long: string | undefined

  constructor(locksFile: string, registersFile: string) {
    this.#files = [locksFile, registersFile]
  }

  /** Whether it is in a section that is longer than its lease. */
  get inLongSection(): boolean {
    return this.#long !== undefined
  }

  async join(stage: Stage): Promise<() => Promise<void>> {
    this.#stage = stage
    await this.#start(stage)
    return () => this.#end((child) => child.send('stop'))
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal)
  }

  /** Kills it, and starts another in its place. */
  async replace(): Promise<void> {
    await this.#end((child) => child.kill('SIGKILL'))
    await this.#start(this.#stage as Stage)
  }

  async #start({ key, observer }: Stage): Promise<void> {
    const options: ForkOptions = { execArgv: [], serialization: 'advanced' }
    const child = fork(path.join(import.meta.dirname, 'child.ts'), [...this.#files, key], options)
    this.#child = child
    this.#long = undefined
    child.on('message', (report: Report | 'ready') => {
      if (report === 'ready') return
      if (report.what === 'entered' && report.long) this.#long = report.section
      if (report.what === 'left' && report.section === this.#long) this.#long = undefined
      observer.hear(report)
    })
    child.once('exit', (code, signal) => {
      if (this.#child === child) observer.hear({ what: 'fault', error: `a process ended by itself: ${code ?? signal}` })
    })
    await once(child, 'message')
  }

  async #end(how: (child: ChildProcess) => void): Promise<void> {
    const child = this.#child as ChildProcess
    this.#child = undefined
    how(child)
    await once(child, 'close')
  }
}
