/**
 * The charge of this checkout beside that of another one, such as the commit before, under k6 without think time:
 * `npx -y pnpm@10 -F demo-server bench:commits <folder of the other> [rounds] [seconds a round]`.
 *
 * Both servers stay up and are measured in turns, on SQLite and on Redis and Postgres (of `REDIS_URL` and `DATABASE_URL`, or in
 * containers). Prints the median of the ratios and an interval that has the true median in 96 of 100 cases for 15 rounds.
 * Linux, whose `/proc` says what a process has used of the processor.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { findK6, type K6 } from '../src/demo/find-k6.ts'
import { runK6 } from '../src/demo/run-k6.ts'
import { type ServerProcess, startServer } from '../src/demo/server-process.ts'
import { table } from '../src/demo/table.ts'
import { temporaryFolder } from '../src/demo/temporary-folder.ts'
import { howToGetK6 } from '../src/demo/texts.ts'
import { enginesAreThere, openEngines } from './engines.ts'

const [other] = process.argv.slice(2)
const [rounds = 15, seconds = 6] = process.argv.slice(3).map(Number)
/** Of `/proc/<pid>/stat`, in ticks a second. */
const TICKS = 100

interface Measured {
  readonly requestsPerSecond: number
  readonly cpuMsPerCharge: number
  readonly errors: number
}

const scenarios = [
  { title: '100 virtual users on 100 users', script: 'balance-charge' },
  { title: '100 virtual users on one user', script: 'single-user' },
] as const

async function measure(k6: K6, script: string, server: ServerProcess): Promise<Measured> {
  const options = { BASE_URL: server.url, THINK_SECONDS: 0, PRINT_ACKNOWLEDGED: 'false' }
  const before = cpuMs(server.pid)
  const load = await runK6(k6, script, options, { flags: ['--vus', '100', '--duration', `${seconds}s`] })
  const { requests, requestsPerSecond, errors } = load
  return { requestsPerSecond, cpuMsPerCharge: (cpuMs(server.pid) - before) / requests, errors }
}

/** User and system time that the process has used. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS
}

async function compare(k6: K6, engine: string, settings: () => Promise<Record<string, string>>): Promise<void> {
  const main = pathToFileURL(path.join(path.resolve(other ?? ''), 'packages/demo-server/src/main.ts'))
  const servers = [await startServer(await settings()), await startServer(await settings(), main)] as const
  try {
    for (const { title, script } of scenarios) {
      for (const server of servers) await measure(k6, script, server)
      const rows: { readonly own: Measured; readonly others: Measured }[] = []
      for (let round = 0; round < rounds; round += 1) {
        const order = round % 2 === 0 ? [0, 1] : [1, 0]
        const measured: Measured[] = []
        for (const index of order as (0 | 1)[]) measured[index] = await measure(k6, script, servers[index])
        const [own, others] = measured
        if (own !== undefined && others !== undefined) rows.push({ own, others })
      }
      report(`${engine}, ${title}: ${rounds} paired rounds of ${seconds} s`, rows)
    }
  } finally {
    for (const server of servers) await server.stop()
  }
}

function report(title: string, rows: readonly { readonly own: Measured; readonly others: Measured }[]): void {
  const line = (what: string, of: (measured: Measured) => number, digits: number) => [
    what,
    middle(rows.map(({ own }) => of(own))).toFixed(digits),
    middle(rows.map(({ others }) => of(others))).toFixed(digits),
    withInterval(rows.map(({ own, others }) => of(own) / of(others))),
  ]
  console.log(`\n${title}`)
  const lines = [
    line('requests/s', ({ requestsPerSecond }) => requestsPerSecond, 0),
    line('CPU ms a charge', ({ cpuMsPerCharge }) => cpuMsPerCharge, 3),
  ]
  console.log(table(['', 'this', 'the other', 'this : the other'], lines))
  const errors = Math.max(...rows.flatMap(({ own, others }) => [own.errors, others.errors]))
  if (errors > 0) console.log(`up to ${(errors * 100).toFixed(2)} % of the answers of a round were no 200`)
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

/** By order statistics: of 15 the 4th and the 12th. */
function withInterval(ratios: readonly number[]): string {
  const sorted = [...ratios].sort((a, b) => a - b)
  const edge = Math.max(0, Math.floor(sorted.length / 2 - 0.98 * Math.sqrt(sorted.length)))
  const [low, high] = [sorted[edge], sorted[sorted.length - 1 - edge]]
  return `${middle(ratios).toFixed(3)} (${low?.toFixed(3)} to ${high?.toFixed(3)})`
}

const k6 = await findK6()
if (other === undefined) {
  console.error('Name the folder of the other checkout, with its packages installed.')
  process.exitCode = 1
} else if (k6 === undefined) {
  console.error(howToGetK6)
  process.exitCode = 1
} else {
  await compare(k6, 'SQLite', async () => ({ DATABASE_URL: `sqlite:${path.join(temporaryFolder(), 'bench.db')}` }))
  if (enginesAreThere()) {
    const engines = await openEngines()
    try {
      await compare(k6, 'Redis and Postgres', async () => ({ ...(await engines.fresh()), DATABASE_POOL: '20' }))
    } finally {
      await engines.close()
    }
  }
}
