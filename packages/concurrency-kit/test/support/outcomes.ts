import { setTimeout } from 'node:timers/promises'
import type { ContractRunner } from '../../src/entries/testing.ts'

/** The tests of a suite, by name: after the names of the groups that they are in, the outermost left out. */
export interface Outcomes {
  readonly passed: readonly string[]
  readonly failed: readonly string[]
  readonly skipped: readonly string[]
}

/** A test that is not over by then has failed: a broken store may keep it waiting for ever. */
const LIMIT_MS = 8_000

/**
 * Runs a published suite as data instead of as tests, which are independent.
 *
 * @param atOnce - How many of them run at the same time. @defaultValue all
 */
export async function outcomesOf(
  suite: (runner: ContractRunner) => void,
  atOnce = Number.POSITIVE_INFINITY,
): Promise<Outcomes> {
  const groups: string[] = []
  const tests = new Map<string, () => Promise<void>>()
  const [passed, failed, skipped]: [string[], string[], string[]] = [[], [], []]
  const named = (name: string) => [...groups.slice(1), name].join(' > ')
  suite({
    describe(name, body) {
      groups.push(name)
      body()
      groups.pop()
    },
    test: Object.assign((name: string, body: () => Promise<void>) => void tests.set(named(name), body), {
      skip: (name: string) => void skipped.push(named(name)),
    }),
  })
  const waiting = [...tests]
  const runAll = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [name, body] = next
      const over = await Promise.race([body().then(() => true), setTimeout(LIMIT_MS, false)]).catch(() => false)
      void (over ? passed : failed).push(name)
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, tests.size) }, runAll))
  return { passed, failed, skipped }
}
