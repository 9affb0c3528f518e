/**
 * The demo server beside others under k6, without think time, with the same durability and log level:
 * `npx -y pnpm@10 -F demo-server bench [rounds] [seconds a round] [sqlite|postgres]`.
 *
 * On SQLite beside a hand-written server; on Redis and Postgres (of `REDIS_URL` and `DATABASE_URL`, or in containers)
 * beside a hand-written one and one that is put together from redlock and Knex.
 */
import path from 'node:path'
import { findK6, type K6 } from '../src/demo/find-k6.ts'
import { type LoadResult, runK6 } from '../src/demo/run-k6.ts'
import { type ServerProcess, startServer } from '../src/demo/server-process.ts'
import { table } from '../src/demo/table.ts'
import { temporaryFolder } from '../src/demo/temporary-folder.ts'
import { howToGetK6 } from '../src/demo/texts.ts'
import { enginesAreThere, openEngines } from './engines.ts'

const [rounds = 5, seconds = 6] = process.argv.slice(2, 4).map(Number)
const only = process.argv[4]

const scenarios = [
  { title: '100 virtual users on 100 users', script: 'balance-charge', vus: 100 },
  { title: '1000 virtual users on 100 users', script: 'balance-charge', vus: 1000 },
  { title: '100 virtual users on one user', script: 'single-user', vus: 100 },
  { title: '1000 virtual users on one user', script: 'single-user', vus: 1000 },
] as const

type Scenario = (typeof scenarios)[number]

/** A server to be measured; the first of a comparison is the kit's. */
interface Contender {
  readonly name: string
  start(): Promise<ServerProcess>
}

const program = (file: string) => new URL(file, import.meta.url)

function onSqlite(): readonly Contender[] {
  const settings = () => {
    const file = path.join(temporaryFolder(), 'bench.db')
    return { DATABASE_URL: `sqlite:${file}`, DATABASE_FILE: file, LOG_LEVEL: 'error' }
  }
  return [
    { name: 'concurrency-kit', start: () => startServer(settings()) },
    { name: 'hand-written', start: () => startServer(settings(), program('./hand-written-server.ts')) },
  ]
}

/** All servers stay up, all but one idle; each round measures them one after the other, in turns of who is first. */
async function compare(k6: K6, engine: string, scenario: Scenario, contenders: readonly Contender[]): Promise<void> {
  console.log(`\n${engine}, ${scenario.title}, no think time: ${rounds} paired rounds of ${seconds} s`)
  const servers: ServerProcess[] = []
  try {
    for (const { start } of contenders) servers.push(await start())
    for (const server of servers) await load(k6, scenario, server)
    const results = contenders.map((): LoadResult[] => [])
    for (let round = 0; round < rounds; round += 1) {
      for (let turn = 0; turn < servers.length; turn += 1) {
        const index = (round + turn) % servers.length
        results[index]?.push(await load(k6, scenario, servers[index] as ServerProcess))
      }
    }
    report(contenders, results)
  } finally {
    for (const server of servers) await server.stop()
  }
}

function load(k6: K6, { script, vus }: Scenario, server: ServerProcess): Promise<LoadResult> {
  const options = { BASE_URL: server.url, THINK_SECONDS: 0, PRINT_ACKNOWLEDGED: 'false' }
  return runK6(k6, script, options, { flags: ['--vus', String(vus), '--duration', `${seconds}s`] })
}

function report(contenders: readonly Contender[], results: readonly (readonly LoadResult[])[]): void {
  const [kit = []] = results
  const rows = contenders.map(({ name }, index) => {
    const own = results[index] ?? []
    const ratios = own.map(({ requestsPerSecond }, round) => (kit[round]?.requestsPerSecond ?? 0) / requestsPerSecond)
    return [
      name,
      Math.round(median(own.map((result) => result.requestsPerSecond))),
      median(own.map((result) => result.medianMs)).toFixed(1),
      median(own.map((result) => result.p99Ms)).toFixed(1),
      `${(Math.min(...own.map((result) => 1 - result.errors)) * 100).toFixed(2)} %`,
      `${(Math.min(...own.map((result) => result.checks)) * 100).toFixed(2)} %`,
      index === 0 ? '' : `${median(ratios).toFixed(2)} (${ratios.map((ratio) => ratio.toFixed(2)).join(', ')})`,
    ]
  })
  console.log(table(['server', 'requests/s', 'p50 ms', 'p99 ms', 'success', 'checks', 'kit : it'], rows))
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
  if (only !== 'postgres') {
    for (const scenario of [scenarios[0], scenarios[3]]) await compare(k6, 'SQLite', scenario, onSqlite())
  }
  if (only !== 'sqlite' && !enginesAreThere()) {
    console.log(
      'No Docker engine answers, and not both of REDIS_URL and DATABASE_URL are set: real engines are left out.',
    )
  } else if (only !== 'sqlite') {
    const engines = await openEngines()
    try {
      for (const scenario of scenarios) {
        const settings = async () => ({
          ...(await engines.fresh()),
          LOG_LEVEL: 'error',
          POOL_SIZE: '20',
          DATABASE_POOL: '20',
        })
        await compare(k6, 'Redis and Postgres', scenario, [
          { name: 'concurrency-kit', start: async () => startServer(await settings()) },
          {
            name: 'hand-written',
            start: async () => startServer(await settings(), program('./hand-written-postgres-server.ts')),
          },
          { name: 'redlock, Knex', start: async () => startServer(await settings(), program('./assembled-server.ts')) },
        ])
      }
    } finally {
      await engines.close()
    }
  }
}
