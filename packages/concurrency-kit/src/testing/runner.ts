/** The part of a test runner that a contract suite needs; Vitest, Jest, `node:test`, Mocha and Bun have it. */
export interface ContractRunner {
  describe(name: string, body: () => void): void
  readonly test: {
    (name: string, body: () => Promise<void>): void
    /** Reports a test that does not apply to the store as skipped, not as passed. */
    skip(name: string, body: () => Promise<void>): void
  }
}

/** Adds a test, skipped unless it applies to the store. `applies` is known in advance, because Jest cannot skip a running test. */
export type Prove<Subject> = (title: string, body: (subject: Subject) => Promise<void>, applies?: boolean) => void

/** Makes tests that open their store objects, and close them even if the test fails. */
export function proving<Opened extends { close(): Promise<void> }, Subject>(
  { test }: ContractRunner,
  open: () => Promise<Opened>,
  subjectOf: (opened: Opened) => Subject,
): Prove<Subject> {
  return (title, body, applies = true) => {
    const run = async () => {
      const opened = await open()
      try {
        await body(subjectOf(opened))
      } finally {
        await opened.close()
      }
    }
    if (applies) test(title, run)
    else test.skip(title, run)
  }
}

/** Calls `ask` every few ms until `reached` holds, for at most `limitMs`. */
export async function until<Value>(
  ask: () => Promise<Value>,
  reached: (value: Value) => boolean,
  limitMs = 20_000,
): Promise<Value> {
  const endAt = performance.now() + limitMs
  for (;;) {
    const value = await ask()
    if (reached(value)) return value
    if (performance.now() >= endAt) throw new Error(`not reached within ${limitMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
