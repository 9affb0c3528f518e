/**
 * The lock on Redis beside its peers as installed from npm, each in processes of its own:
 * `npx -y pnpm@10 -F concurrency-kit bench:redis [rounds] [seconds a run]`. The Redis is that of `REDIS_URL`, or a container.
 */
import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import path from 'node:path'
import { dockerAnswers, startRedis } from '../../test/support/containers.ts'
import { median, quantile } from '../rounds.ts'
import { type WayName, ways } from './ways.ts'
import type { Job, Sections } from './worker.ts'

const [rounds = 5, seconds = 2] = process.argv.slice(2).map(Number)
const WARM_UP_MS = 500

interface Scenario {
  readonly title: string
  readonly processes: number
  readonly callers: number
  readonly distinctKeys?: boolean
  readonly sectionMs: number
  readonly pauseMs?: number
}

const scenarios: readonly Scenario[] = [
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
  {
    title: 'hand-off: 2 processes of 1 caller, section of 3 ms, pause of 3 ms',
    processes: 2,
    callers: 1,
    sectionMs: 3,
    pauseMs: 3,
  },
]

interface Measured {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly longestMs: number
  /** Jain's index over the sections of the processes: 1 is equal shares. */
  readonly jain: number
  /** From the end of a section to the start of the next one in another process. */
  readonly handOffMs: number
  /** Sent to Redis per section. */
  readonly commands: number
}

async function measure(way: WayName, scenario: Scenario, redisUrl: string): Promise<Measured> {
  const { processes, callers, distinctKeys = false, sectionMs, pauseMs = 0 } = scenario
  const key = `bench:${randomUUID()}`
  const runMs = seconds * 1000
  const job: Job = { way, redisUrl, callers, key, distinctKeys, sectionMs, pauseMs, warmUpMs: WARM_UP_MS, runMs }
  const results = await Promise.all(Array.from({ length: processes }, () => inProcess(job)))
  const counts = results.map(({ spans }) => spans.length)
  const all = results.flatMap(({ spans }, process) => spans.map(([startMs, endMs]) => ({ startMs, endMs, process })))
  all.sort((a, b) => a.startMs - b.startMs)
  if (!distinctKeys) refuseOverlaps(way, all)
  const handOffs = all.flatMap((section, index) => {
    const earlier = all[index - 1]
    return earlier !== undefined && earlier.process !== section.process ? [section.startMs - earlier.endMs] : []
  })
  const waits = results.flatMap(({ waitsMs }) => waitsMs)
  const total = counts.reduce((sum, count) => sum + count, 0)
  return {
    perSecond: total / seconds,
    p50Ms: median(waits),
    p99Ms: quantile(waits, 0.99),
    longestMs: waits.reduce((longest, wait) => Math.max(longest, wait), 0),
    jain: total ** 2 / (counts.length * counts.reduce((sum, count) => sum + count ** 2, 0)),
    handOffMs: median(handOffs),
    commands: results.reduce((sum, each) => sum + each.commandsPerSection * (each.spans.length / total), 0),
  }
}

/** Nothing is worth measuring that does not exclude. */
function refuseOverlaps(way: string, sections: readonly { startMs: number; endMs: number }[]): void {
  const overlaps = sections.filter(({ startMs }, index) => startMs < (sections[index - 1]?.endMs ?? 0) - 0.5)
  if (overlaps.length > 0) console.log(`  ${way}: ${overlaps.length} sections began before the one before had ended`)
}

async function inProcess(job: Job): Promise<Sections> {
  const child = fork(path.join(import.meta.dirname, 'worker.ts'), { serialization: 'advanced' })
  child.send(job)
  const [sections] = await once(child, 'message')
  return sections as Sections
}

async function run(scenario: Scenario, redisUrl: string): Promise<void> {
  const names = Object.keys(ways) as WayName[]
  const measured = new Map(names.map((name) => [name, [] as Measured[]]))
  for (let round = 0; round < rounds; round += 1) {
    for (const [turn] of names.entries()) {
      const name = names[(round + turn) % names.length] as WayName
      measured.get(name)?.push(await measure(name, scenario, redisUrl))
    }
  }
  console.log(`\n${scenario.title}; medians of ${rounds} paired rounds of ${seconds} s`)
  const head = ['', 'sections/s', '× raw', 'p50 ms', 'p99 ms', 'longest', 'Jain', 'hand-off ms', 'commands']
  const raw = measured.get('raw SET NX PX') ?? []
  const row = (name: string, own: readonly Measured[]) => {
    const of = (figure: keyof Measured, digits: number) => median(own.map((each) => each[figure])).toFixed(digits)
    const ratio = median(own.map(({ perSecond }, round) => perSecond / (raw[round]?.perSecond ?? Number.NaN))).toFixed(
      2,
    )
    const handOff = scenario.processes > 1 ? of('handOffMs', 2) : ''
    const jain = scenario.processes > 1 ? of('jain', 3) : ''
    return [
      name,
      of('perSecond', 0),
      ratio,
      of('p50Ms', 1),
      of('p99Ms', 1),
      of('longestMs', 0),
      jain,
      handOff,
      of('commands', 2),
    ]
  }
  for (const line of [head, ...[...measured].map(([name, own]) => row(name, own))]) {
    console.log(line.map((cell, column) => (column === 0 ? cell.padEnd(18) : cell.padStart(12))).join(''))
  }
}

if (process.env.REDIS_URL) {
  for (const scenario of scenarios) await run(scenario, process.env.REDIS_URL)
} else if (dockerAnswers()) {
  const container = await startRedis()
  try {
    for (const scenario of scenarios) await run(scenario, `redis://127.0.0.1:${container.ports[0]}`)
  } finally {
    await container.stop()
  }
} else console.log('No Docker engine answers, and REDIS_URL is not set: the locks on Redis are left out.')
