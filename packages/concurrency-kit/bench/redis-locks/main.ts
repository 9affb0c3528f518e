/**
 * The lock on Redis beside its peers as installed from npm, each in processes of its own:
 * `npx -y pnpm@10 -F concurrency-kit bench:redis [rounds] [seconds a run] [part of a title]`. The Redis is that of `REDIS_URL`,
 * or a container.
 */
import { setTimeout } from 'node:timers/promises'
import { allocationOnRedis } from '../allocation/allocation.ts'
import { median } from '../rounds.ts'
import { benchRedis } from '../servers.ts'
import { type Measured, measure, type Scenario } from './measure.ts'
import { uncontended } from './uncontended.ts'
import { type WayName, ways } from './ways.ts'

const [rounds = 5, seconds = 2] = process.argv.slice(2, 4).map(Number)
const only = process.argv[4] ?? ''

const scenarios: readonly (Scenario & { title: string })[] = [
  {
    title: '200 callers, each with a key of its own, empty section',
    processes: 1,
    callers: 200,
    distinctKeys: true,
    sectionMs: 0,
  },
  { title: '500 callers, one key, empty section', processes: 1, callers: 500, sectionMs: 0 },
  { title: '50 callers, one key, section of 1 ms', processes: 1, callers: 50, sectionMs: 1 },
  { title: '4 processes of 16 callers, one key, section of 1 ms', processes: 4, callers: 16, sectionMs: 1 },
  { title: '4 processes of 100 callers, one key, section of 1 ms', processes: 4, callers: 100, sectionMs: 1 },
  {
    title: 'hand-off: 2 processes of 1 caller, section of 3 ms, pause of 3 ms',
    processes: 2,
    callers: 1,
    sectionMs: 3,
    pauseMs: 3,
  },
]

async function run(scenario: Scenario & { title: string }, redisUrl: string): Promise<void> {
  const names = Object.keys(ways) as WayName[]
  const measured = new Map(names.map((name) => [name, [] as Measured[]]))
  for (let round = 0; round < rounds; round += 1) {
    for (const [turn] of names.entries()) {
      const way = names[(round + turn) % names.length] as WayName
      measured.get(way)?.push(await measure({ way, redisUrl }, scenario, seconds))
    }
  }
  console.log(`\n${scenario.title}; medians of ${rounds} paired rounds of ${seconds} s`)
  const raw = measured.get('raw SET NX PX') ?? []
  const columns = columnsOf(scenario)
  const row = (name: string, own: readonly Measured[]) => {
    const ratio = median(own.map(({ perSecond }, round) => perSecond / (raw[round]?.perSecond ?? Number.NaN)))
    const cells = columns.map(({ of, digits }) => median(own.map(of)).toFixed(digits))
    return [name, ratio.toFixed(2), ...cells]
  }
  const head = ['', '× raw', ...columns.map((column) => column.head)]
  for (const line of [head, ...[...measured].map(([name, own]) => row(name, own))]) {
    console.log(line.map((cell, column) => (column === 0 ? cell.padEnd(18) : cell.padStart(15))).join(''))
  }
}

interface Column {
  readonly head: string
  readonly of: (measured: Measured) => number
  readonly digits: number
}

function columnsOf({ processes, callers, sectionMs, pauseMs = 0 }: Scenario): Column[] {
  const columns: Column[] = [
    { head: 'sections/s', of: ({ perSecond }) => perSecond, digits: 0 },
    { head: 'p50 ms', of: ({ p50Ms }) => p50Ms, digits: 1 },
    { head: 'p99 ms', of: ({ p99Ms }) => p99Ms, digits: 1 },
    { head: 'longest', of: ({ longestMs }) => longestMs, digits: 0 },
    { head: 'commands', of: ({ commands }) => commands, digits: 2 },
  ]
  if (processes === 1) return columns
  columns.push(
    { head: 'Jain', of: ({ jain }) => jain, digits: 3 },
    { head: 'hand-off ms', of: ({ handOffMs }) => handOffMs, digits: 2 },
  )
  if (pauseMs > 0) return columns
  // A perfect queue serves everybody once before anybody twice, and loses nothing between two sections.
  const perfectWaitMs = processes * callers * sectionMs
  columns.push(
    { head: '× ideal', of: ({ perSecond }) => (perSecond * sectionMs) / 1_000, digits: 2 },
    { head: 'p99 × perfect', of: ({ p99Ms }) => p99Ms / perfectWaitMs, digits: 2 },
    { head: 'callers’ Jain', of: ({ callersJain }) => callersJain, digits: 3 },
  )
  return columns
}

/** No section that ends by a timer of 1 ms can be had more often. */
async function timersAlone(): Promise<void> {
  const endMs = performance.now() + 1_000
  let fired = 0
  for (; performance.now() < endMs; fired += 1) await setTimeout(1)
  console.log(`A timer of 1 ms, one after the other: ${fired} in a second`)
}

const parts: Record<string, (redisUrl: string) => Promise<void>> = {
  ...Object.fromEntries(
    scenarios.map((scenario) => [scenario.title, (redisUrl: string) => run(scenario, redisUrl)] as const),
  ),
  uncontended: (redisUrl) => uncontended(redisUrl, rounds),
  'allocation on Redis': allocationOnRedis,
}

async function all(redisUrl: string): Promise<void> {
  await timersAlone()
  for (const [title, part] of Object.entries(parts)) if (title.includes(only)) await part(redisUrl)
}

const redis = await benchRedis()
if (redis !== undefined) await all(redis.url).finally(redis.close)
else console.log('No Docker engine answers, and REDIS_URL is not set: the locks on Redis are left out.')
