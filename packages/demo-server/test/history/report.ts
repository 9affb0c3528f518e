import { table } from '../../src/demo/table.ts'
import type { Finding } from '../../src/demo/verdict.ts'
import type { Verdict } from './checker.ts'
import type { HistoryReport } from './run.ts'

const SHOWN = 5

const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`
const listed = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ')

/** What was done, and what was felt of the faults. */
export function findingsOf({ tally, faults, verdict, completed, tookMs }: HistoryReport): Finding[] {
  const { intents, outcomes, operations, retries, leftOpen, unforeseen, longestGap, longestCharge } = tally
  const injected = [...faults.values()].reduce((sum, count) => sum + count, 0)
  return [
    ['operations', `${operations} (${Math.round(operations / (tookMs.operations / 1_000))}/s)`],
    ['of which', listed(intents)],
    ['requests', listed(outcomes)],
    ['retries', String(retries)],
    ['charges given up, and settled at the end', String(leftOpen)],
    ['faults', String(injected)],
    ['longest without a new charge', seconds(longestGap / 1_000)],
    ['longest until a charge was answered', seconds(longestCharge / 1_000)],
    ['operations, settling, check', Object.values(tookMs).map(seconds).join(', ')],
    ['answers 500', String(unforeseen), unforeseen === 0],
    ['keys answered, records COMPLETED', `${verdict.keys}, ${completed}`, verdict.keys === completed],
    ['keys never answered', String(verdict.open), verdict.open === 0],
    ...judged(verdict),
  ]
}

export function judged({ violations, undecided }: Verdict): Finding[] {
  return [
    ['users undecided', String(undecided.length), undecided.length === 0],
    ['violations', String(violations.length), violations.length === 0],
  ]
}

export function faultTable(faults: HistoryReport['faults']): string {
  return table(['fault', 'times'], [...faults].sort())
}

/** The first violations of each kind, and how many there are. */
export function violationTexts({ violations }: Verdict): string[] {
  const counts: Record<string, number> = {}
  const first: string[] = []
  for (const { kind, user, message, lines } of violations) {
    const count = (counts[kind] ?? 0) + 1
    counts[kind] = count
    if (count <= SHOWN) first.push(`${kind}, user ${user}, lines ${lines.join(' and ')}: ${message}`)
  }
  return violations.length === 0 ? [] : [...first, listed(counts)]
}
