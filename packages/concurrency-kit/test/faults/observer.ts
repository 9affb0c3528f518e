/** What callers tell of their sections, from whatever process; times by `nowMs`. */
export type Report =
  | {
      readonly what: 'entered'
      readonly section: string
      readonly token: bigint | undefined
      readonly long: boolean
      readonly atMs: number
    }
  /** Its lease still passed as held. */
  | { readonly what: 'held'; readonly section: string; readonly atMs: number }
  | { readonly what: 'left'; readonly section: string }
  /** An increment of the register that its section was told is written. */
  | { readonly what: 'acknowledged' }
  | { readonly what: 'lost'; readonly atMs: number }
  /** Anything but the errors that the documentation names. */
  | { readonly what: 'fault'; readonly error: string }

interface Seen {
  readonly enteredMs: number
  readonly token: bigint | undefined
  heldMs: number
}

/** Hears of every section that begins, and until when each one's lease passed as held. */
export class Observer {
  readonly lostMs: number[] = []
  readonly faults: string[] = []
  acknowledged = 0
  readonly #long = new Set<string>()
  readonly #sections = new Map<string, Seen>()

  readonly hear = (report: Report): void => {
    switch (report.what) {
      case 'entered': {
        const { section, token, long, atMs } = report
        this.#sections.set(section, { enteredMs: atMs, heldMs: atMs, token })
        if (long) this.#long.add(section)
        break
      }
      case 'held': {
        const seen = this.#sections.get(report.section)
        if (seen !== undefined) seen.heldMs = Math.max(seen.heldMs, report.atMs)
        break
      }
      case 'left':
        this.#long.delete(report.section)
        break
      case 'acknowledged':
        this.acknowledged += 1
        break
      case 'lost':
        this.lostMs.push(report.atMs)
        break
      case 'fault':
        this.faults.push(report.error)
    }
  }

  get sections(): number {
    return this.#sections.size
  }

  /** Whether a section is under way that is longer than its lease. */
  get longUnderWay(): boolean {
    return this.#long.size > 0
  }

  /** How long each overlap lasted, in ms: from when the newer section began, while the older lease passed as held. */
  overlapsMs(): number[] {
    const sections = this.#inOrder()
    return sections.flatMap((newer, index) =>
      sections.slice(0, index).flatMap(({ heldMs }) => (heldMs > newer.enteredMs ? [heldMs - newer.enteredMs] : [])),
    )
  }

  /** Sections whose token was not above all before it. */
  tokensBackwards(): number {
    let last = -1n
    let backwards = 0
    for (const { token } of this.#inOrder()) {
      if (token === undefined) continue
      if (token <= last) backwards += 1
      else last = token
    }
    return backwards
  }

  /** Longest time without a new section, in ms. */
  longestGapMs(startMs: number): number {
    const starts = [startMs, ...this.#inOrder().map(({ enteredMs }) => enteredMs)]
    return Math.max(0, ...starts.slice(1).map((atMs, index) => atMs - (starts[index] as number)))
  }

  #inOrder(): Seen[] {
    return [...this.#sections.values()].sort((a, b) => a.enteredMs - b.enteredMs)
  }
}
