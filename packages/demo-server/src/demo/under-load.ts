import path from 'node:path'
import type { K6 } from './find-k6.ts'
import { type Audit, audit, sqliteLedger } from './ledger.ts'
import { type LoadResult, runK6 } from './run-k6.ts'
import { startServer } from './server-process.ts'
import { table } from './table.ts'
import { temporaryFolder } from './temporary-folder.ts'

const MOST_CONFLICTS = 10

const runs = [
  {
    title: '100 users, up to 1000 virtual users',
    script: 'balance-charge',
    RAMP_SECONDS: 4,
    HOLD_SECONDS: 6,
    TOP_VUS: 1000,
  },
  { title: 'every key sent four times', script: 'repeated-keys', RAMP_SECONDS: 1, HOLD_SECONDS: 2, TOP_VUS: 50 },
] as const

/** The server on a fresh file under the real k6, and whether every won is where it must be. */
export async function underLoad(k6: K6): Promise<boolean> {
  const verdicts: boolean[] = []
  for (const { title, script, ...options } of runs) {
    console.log(`\nThe server under k6: ${title}`)
    const file = path.join(temporaryFolder(), 'load.db')
    const server = await startServer({ DATABASE_URL: `sqlite:${file}` })
    try {
      const ledger = sqliteLedger(file)
      const starting = await ledger.balances()
      const load = await runK6(k6, script, { ...options, BASE_URL: server.url }, showProgress)
      const conflicts = await server.counter('concurrency_kit_optimistic_conflicts_total')
      const replays = await server.counter('concurrency_kit_idempotency_replays_total')
      verdicts.push(judge(load, await audit(ledger, starting, load.acknowledged), conflicts, replays))
    } finally {
      await server.stop()
    }
  }
  return verdicts.every((held) => held)
}

function judge(load: LoadResult, sums: Audit, conflicts: number, replays: number): boolean {
  const percent = (share: number) => `${(share * 100).toFixed(2)} %`
  const held = (holds: boolean) => (holds ? 'holds' : 'DOES NOT HOLD')
  const rows: [string, string, boolean | undefined][] = [
    ['requests', `${load.requests} (${load.requestsPerSecond.toFixed(0)}/s)`, undefined],
    ['checks', percent(load.checks), load.checks === 1],
    ['errors', percent(load.errors), load.errors === 0],
    ['thresholds of the script', load.passed ? 'passed' : 'crossed', load.passed],
    ['p95, p99', `${load.p95Ms.toFixed(0)} ms, ${load.p99Ms.toFixed(0)} ms`, undefined],
    ['version conflicts (server)', String(conflicts), conflicts <= MOST_CONFLICTS],
    [
      'keys acknowledged, COMPLETED',
      `${sums.acknowledgedKeys}, ${sums.completed}`,
      sums.unrecorded === 0 && sums.completed > 0,
    ],
    ['sum of COMPLETED amounts', `${sums.sumOfCompleted} won`, undefined],
    [
      'balances less starting balances',
      `${sums.sumOfGains} won`,
      sums.sumOfGains === sums.sumOfCompleted && sums.wrongBalances === 0,
    ],
    ['replays', String(replays), undefined],
  ]
  console.log(
    table(
      ['', '', ''],
      rows.map(([name, value, holds]) => [name, value, holds === undefined ? '' : held(holds)]),
    ),
  )
  return rows.every(([, , holds]) => holds !== false)
}

/** About one line of k6's progress every two seconds. */
let shownAtMs = 0
function showProgress(line: string): void {
  const nowMs = performance.now()
  if (!line.startsWith('running') || nowMs - shownAtMs < 2_000) return
  shownAtMs = nowMs
  console.log(`  ${line}`)
}
