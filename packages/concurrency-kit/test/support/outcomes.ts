import { setTimeout } from 'node:timers/promises'
import type { ContractRunner } from '../../src/entries/testing-runner.ts'

export interface Outcomes {
  readonly passed: readonly string[]
  readonly failed: readonly string[]
}

/** A test that is not over by then has failed: a broken store may keep it waiting for ever. */
const LIMIT_MS = 8_000

/** Runs a published suite as data instead of as tests: what passed, and what did not. All at once, as they are independent. */
export async function outcomesOf(suite: (runner: ContractRunner) => void): Promise<Outcomes> {
  const tests = new Map<string, () => Promise<void>>()
  suite({ describe: (_, body) => body(), test: (name, body) => void tests.set(name, body) })
  const passed: string[] = []
  const failed: string[] = []
  await Promise.all(
    Array.from(tests, ([name, body]) =>
      Promise.race([body().then(() => true), setTimeout(LIMIT_MS, false)]).then(
        (over) => void (over ? passed : failed).push(name),
        () => void failed.push(name),
      ),
    ),
  )
  return { passed, failed }
}
