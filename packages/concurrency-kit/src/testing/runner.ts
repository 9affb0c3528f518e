/** What a contract suite needs of a test runner: Vitest, Jest, `node:test`, Mocha and Bun all have it. */
export interface ContractRunner {
  describe(name: string, body: () => void): void
  readonly test: {
    (name: string, body: () => Promise<void>): void
    /** Names a test that does not apply to the store, so that the report shows it as skipped and not as passed. */
    skip(name: string, body: () => Promise<void>): void
  }
}

/** Adds a test, skipped unless it applies to the store. That is known beforehand: Jest cannot skip a test that runs. */
export type Prove<Subject> = (title: string, body: (subject: Subject) => Promise<void>, applies?: boolean) => void

/** Tests that open what they need and close it again, whatever happens. */
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

/** Asks again every few ms, for at most `limitMs`. */
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
