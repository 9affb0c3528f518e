import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { K6 } from './find-k6.ts'
import type { Acknowledged } from './ledger.ts'
import { onExit } from './on-exit.ts'

export interface LoadResult {
  /** k6's own verdict on the thresholds of the script. */
  readonly passed: boolean
  readonly requests: number
  readonly requestsPerSecond: number
  /** Share of checks that held, 0 to 1. */
  readonly checks: number
  /** Share of answers that were no 200, 0 to 1. */
  readonly errors: number
  /** Of a charge, in ms. */
  readonly medianMs: number
  readonly p95Ms: number
  readonly p99Ms: number
  readonly acknowledged: readonly Acknowledged[]
}

type Summary = { metrics: Record<string, Record<string, number>> }

export interface Watching {
  /** k6's own flags. */
  readonly flags?: readonly string[]
  /** Gets each line that k6 prints. */
  readonly onProgress?: (line: string) => void
  /** Gets each answer as it comes: the charge, or `undefined` where there was none. */
  readonly onAnswer?: (charge: Acknowledged | undefined) => void
  /** Ends the run early, with what has come until then. */
  readonly signal?: AbortSignal
}

/** Runs a script of `k6/` with its options (`-e`). */
export async function runK6(
  { command, args }: K6,
  script: string,
  options: Readonly<Record<string, string | number>>,
  { flags = [], onProgress = () => {}, onAnswer = () => {}, signal }: Watching = {},
): Promise<LoadResult> {
  const folder = mkdtempSync(path.join(tmpdir(), 'concurrency-kit-k6-'))
  const summaryFile = path.join(folder, 'summary.json')
  const settings = Object.entries({ PRINT_ACKNOWLEDGED: 'true', ...options }).flatMap(([name, value]) => [
    '-e',
    `${name}=${value}`,
  ])
  const child = spawn(
    command,
    [
      ...args,
      'run',
      '--no-color',
      '--summary-export',
      summaryFile,
      '--log-format',
      'raw',
      ...settings,
      ...flags,
      scriptFile(script),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const forget = onExit(() => child.kill('SIGKILL'))
  const interrupt = () => child.kill('SIGINT')
  signal?.addEventListener('abort', interrupt)
  try {
    const acknowledged: Acknowledged[] = []
    const exited = once(child, 'exit')
    await Promise.all([
      eachLine(child.stderr, (line) => {
        const charge = acknowledgedIn(line)
        if (charge !== undefined) acknowledged.push(charge)
        if (charge !== undefined || line.startsWith('refused ')) onAnswer(charge)
        else if (line.trim() !== '') onProgress(line)
      }),
      eachLine(child.stdout, (line) => {
        if (/^running |VUs/.test(line)) onProgress(line.trim())
      }),
      exited,
    ])
    const [code] = await exited
    return resultOf(JSON.parse(readFileSync(summaryFile, 'utf8')), code === 0, acknowledged)
  } finally {
    signal?.removeEventListener('abort', interrupt)
    forget()
    rmSync(folder, { recursive: true, force: true })
  }
}

export function scriptFile(script: string): string {
  return fileURLToPath(new URL(`../../../../k6/${script}.js`, import.meta.url))
}

async function eachLine(stream: NodeJS.ReadableStream, take: (line: string) => void): Promise<void> {
  for await (const line of createInterface({ input: stream })) take(line)
}

function acknowledgedIn(line: string): Acknowledged | undefined {
  const [, key, userId, amount, balance] = /^acknowledged (\S+) (\d+) (\d+) (\d+)$/.exec(line) ?? []
  if (key === undefined) return undefined
  return { key, userId: Number(userId), amount: Number(amount), balance: Number(balance) }
}

function resultOf({ metrics }: Summary, passed: boolean, acknowledged: readonly Acknowledged[]): LoadResult {
  const value = (metric: string, field: string) => metrics[metric]?.[field] ?? Number.NaN
  return {
    passed,
    requests: value('http_reqs', 'count'),
    requestsPerSecond: value('http_reqs', 'rate'),
    checks: value('checks', 'value'),
    errors: value('errors', 'value'),
    medianMs: value('http_req_duration', 'med'),
    p95Ms: value('http_req_duration', 'p(95)'),
    p99Ms: value('http_req_duration', 'p(99)'),
    acknowledged,
  }
}
