import path from 'node:path'
import type { K6 } from './find-k6.ts'
import { audit, type Ledger, sqliteLedger } from './ledger.ts'
import { runK6 } from './run-k6.ts'
import { startServer } from './server-process.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { auditFindings, loadFindings, showProgress, verdict } from './verdict.ts'

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

/** The servers that a load is sent to, and where they keep what came of it. */
export interface Target {
  readonly urls: readonly string[]
  readonly ledger: Ledger
  /** Sum of all samples of a Prometheus metric. */
  counter(name: string): Promise<number>
}

/** The server on a fresh file under the real k6, and whether every won is where it must be. */
export async function underLoad(k6: K6): Promise<boolean> {
  const verdicts: boolean[] = []
  for (const { title, script, ...options } of runs) {
    console.log(`\nThe server under k6: ${title}`)
    const file = path.join(temporaryFolder(), 'load.db')
    const server = await startServer({ DATABASE_URL: `sqlite:${file}` })
    try {
      const target = { urls: [server.url], ledger: sqliteLedger(file), counter: server.counter }
      verdicts.push(await load(k6, target, script, options))
    } finally {
      await server.stop()
    }
  }
  return verdicts.every((held) => held)
}

/** Runs a script on servers that were not charged before, prints the verdict, and says whether everything held. */
export async function load(
  k6: K6,
  { urls, ledger, counter }: Target,
  script: string,
  options: Readonly<Record<string, string | number>>,
): Promise<boolean> {
  const starting = await ledger.balances()
  const result = await runK6(k6, script, { ...options, BASE_URL: urls.join() }, { onProgress: showProgress })
  const conflicts = await counter('concurrency_kit_optimistic_conflicts_total')
  const replays = await counter('concurrency_kit_idempotency_replays_total')
  const sums = await audit(ledger, starting, result.acknowledged)
  return verdict([...loadFindings(result, conflicts), ...auditFindings(sums), ['replays', String(replays)]])
}
