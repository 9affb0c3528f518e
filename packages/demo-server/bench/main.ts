/**
 * The demo server beside a hand-written one under k6, SQLite with the same durability, no think time:
 * `npx -y pnpm@10 -F demo-server bench [rounds] [seconds a round]`.
 */
import path from 'node:path'
import { findK6, type K6 } from '../src/demo/find-k6.ts'
import { type LoadResult, runK6 } from '../src/demo/run-k6.ts'
import { type ServerProcess, startServer } from '../src/demo/server-process.ts'
import { table } from '../src/demo/table.ts'
import { temporaryFolder } from '../src/demo/temporary-folder.ts'
import { howToGetK6 } from '../src/demo/texts.ts'

const [rounds = 5, seconds = 6] = process.argv.slice(2).map(Number)

const scenarios = [
  { title: '100 virtual users on 100 users', script: 'balance-charge', vus: 100 },
  { title: '1000 virtual users on one user', script: 'single-user', vus: 1000 },
] as const

type Scenario = (typeof scenarios)[number]

/** Both servers stay up, one of them idle; each round measures the one and then the other, in turns of who is first. */
async function compare(k6: K6, scenario: Scenario): Promise<void> {
  console.log(`\n${scenario.title}, no think time: ${rounds} paired rounds of ${seconds} s`)
  const settings = () => {
    const file = path.join(temporaryFolder(), 'bench.db')
    return { DATABASE_URL: `sqlite:${file}`, DATABASE_FILE: file, LOG_LEVEL: 'error' }
  }
  const kit = await startServer(settings())
  const byHand = await startServer(settings(), new URL('./hand-written-server.ts', import.meta.url))
  try {
    await load(k6, scenario, kit)
    await load(k6, scenario, byHand)
    const pairs: { kit: LoadResult; byHand: LoadResult }[] = []
    for (let round = 1; round <= rounds; round += 1) {
      const kitFirst = round % 2 === 1
      const first = await load(k6, scenario, kitFirst ? kit : byHand)
      const second = await load(k6, scenario, kitFirst ? byHand : kit)
      pairs.push(kitFirst ? { kit: first, byHand: second } : { kit: second, byHand: first })
    }
    report(pairs)
  } finally {
    await kit.stop()
    await byHand.stop()
  }
}

function load(k6: K6, { script, vus }: Scenario, server: ServerProcess): Promise<LoadResult> {
  const options = { BASE_URL: server.url, THINK_SECONDS: 0, PRINT_ACKNOWLEDGED: 'false' }
  return runK6(k6, script, options, { flags: ['--vus', String(vus), '--duration', `${seconds}s`] })
}

function report(pairs: readonly { kit: LoadResult; byHand: LoadResult }[]): void {
  const row = (name: string, results: readonly LoadResult[]) => [
    name,
    Math.round(median(results.map((result) => result.requestsPerSecond))),
    median(results.map((result) => result.medianMs)).toFixed(1),
    median(results.map((result) => result.p99Ms)).toFixed(1),
    `${(Math.min(...results.map((result) => 1 - result.errors)) * 100).toFixed(2)} %`,
    `${(Math.min(...results.map((result) => result.checks)) * 100).toFixed(2)} %`,
  ]
  const head = ['server', 'requests/s', 'p50 ms', 'p99 ms', 'success', 'checks']
  const kit = pairs.map((pair) => pair.kit)
  const byHand = pairs.map((pair) => pair.byHand)
  console.log(table(head, [row('concurrency-kit', kit), row('hand-written', byHand)]))
  const ratios = pairs.map((pair) => pair.kit.requestsPerSecond / pair.byHand.requestsPerSecond)
  console.log(`ratio: ${median(ratios).toFixed(2)} (${ratios.map((ratio) => ratio.toFixed(2)).join(', ')})`)
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

const k6 = await findK6()
if (k6 === undefined) {
  console.error(howToGetK6)
  process.exitCode = 1
} else {
  for (const scenario of scenarios) await compare(k6, scenario)
}
