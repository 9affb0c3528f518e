import type { Lease } from '../../src/index.ts'
import type { Report } from './observer.ts'
import { nowMs } from './timing.ts'

interface Open {
  readonly section: string
  readonly lease: Lease
}

/** The sections under way in this process: tells whoever listens until when the lease of each passes as held. */
export class Presence {
  readonly #report: (report: Report) => void
  readonly #open = new Set<Open>()
  #sections = 0

  constructor(report: (report: Report) => void) {
    this.#report = report
  }

  /** Call what it gives when the section ends, before its lease does. */
  enter(lease: Lease, token: bigint | undefined, long: boolean): () => void {
    this.#sections += 1
    const own = { section: `${process.pid}:${this.#sections}`, lease }
    this.#report({ what: 'entered', section: own.section, token, long, atMs: nowMs() })
    // Within a process nothing is missed; between two of them what lasts for less than the interval.
    for (const other of this.#open) this.#look(other)
    this.#open.add(own)
    const looking = setInterval(() => this.#look(own), 1)
    return () => {
      clearInterval(looking)
      this.#look(own)
      this.#open.delete(own)
      this.#report({ what: 'left', section: own.section })
    }
  }

  #look({ section, lease }: Open): void {
    try {
      lease.assertHeld()
    } catch {
      return
    }
    this.#report({ what: 'held', section, atMs: nowMs() })
  }
}
