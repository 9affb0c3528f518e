import type { Audit } from './ledger.ts'
import type { LoadResult } from './run-k6.ts'
import { table } from './table.ts'

/** What was seen, how much, and whether it is as it must be; `undefined` where nothing is asked of it. */
export type Finding = readonly [what: string, value: string, holds?: boolean]

const MOST_CONFLICTS = 10

/** Prints the findings, and says whether all that must hold does. */
export function verdict(findings: readonly Finding[]): boolean {
  const rows = findings.map(([what, value, holds]) => [what, value, holds === undefined ? '' : holdsOrNot(holds)])
  console.log(table(['', '', ''], rows))
  return findings.every(([, , holds]) => holds !== false)
}

export function holdsOrNot(holds: boolean): string {
  return holds ? 'holds' : 'DOES NOT HOLD'
}

/** What is asked of a load under which nothing fails. */
export function loadFindings(load: LoadResult, conflicts: number): Finding[] {
  const percent = (share: number) => `${(share * 100).toFixed(2)} %`
  return [
    ['requests', `${load.requests} (${load.requestsPerSecond.toFixed(0)}/s)`],
    ['checks', percent(load.checks), load.checks === 1],
    ['errors', percent(load.errors), load.errors === 0],
    ['thresholds of the script', load.passed ? 'passed' : 'crossed', load.passed],
    ['p95, p99', `${load.p95Ms.toFixed(0)} ms, ${load.p99Ms.toFixed(0)} ms`],
    ['version conflicts (servers)', String(conflicts), conflicts <= MOST_CONFLICTS],
  ]
}

/** That every acknowledged charge is there, once, and no other money. */
export function auditFindings(sums: Audit): Finding[] {
  return [
    [
      'keys acknowledged, COMPLETED',
      `${sums.acknowledgedKeys}, ${sums.completed}`,
      sums.unrecorded === 0 && sums.completed > 0,
    ],
    ['sum of COMPLETED amounts', `${sums.sumOfCompleted} won`],
    [
      'balances less starting balances',
      `${sums.sumOfGains} won`,
      sums.sumOfGains === sums.sumOfCompleted && sums.wrongBalances === 0,
    ],
  ]
}

/** About one line of k6's progress every two seconds. */
let shownAtMs = 0
export function showProgress(line: string): void {
  const nowMs = performance.now()
  if (!line.startsWith('running') || nowMs - shownAtMs < 2_000) return
  shownAtMs = nowMs
  console.log(`  ${line}`)
}
