/**
 * A history of four servers under faults, and its verdict:
 * `npx -y pnpm@10 -F demo-server history [operations] [seed] [file] [--every 2500] [--switch IDEMPOTENCY=off]`, or that of a
 * history that is there: `history --check file`. The format is in docs/history.md.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type Engines, findEngines } from '../../src/demo/cluster/engines.ts'
import { verdict } from '../../src/demo/verdict.ts'
import { checkFile } from './check-file.ts'
import { faultTable, findingsOf, judged, violationTexts } from './report.ts'
import { runHistory } from './run.ts'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    every: { type: 'string', default: '2500' },
    switch: { type: 'string', multiple: true, default: [] },
    check: { type: 'string' },
  },
})

/** Paths are those of the shell that pnpm was called from. */
const path = (name: string) => resolve(process.env.INIT_CWD ?? '.', name)

function wholeNumber(text: string): number {
  if (/^\d+$/.test(text)) return Number(text)
  throw new Error(`${JSON.stringify(text)} is to be a whole number`)
}

async function record(engines: Engines): Promise<boolean> {
  const [operations = '1000000', seed = '1', file] = positionals
  const to = file === undefined ? join(mkdtempSync(join(tmpdir(), 'history-')), 'history.jsonl') : path(file)
  const report = await runHistory(engines, {
    operations: wholeNumber(operations),
    seed: wholeNumber(seed),
    file: to,
    faultEvery: wholeNumber(values.every),
    settings: Object.fromEntries(values.switch.map((each) => each.split('=') as [string, string])),
    onProgress: (tally) => console.log(`  ${tally.operations} operations, ${tally.retries} retries`),
  })
  console.log(faultTable(report.faults))
  const held = verdict(findingsOf(report))
  for (const text of violationTexts(report.verdict)) console.error(text)
  if (held && file === undefined) rmSync(dirname(to), { recursive: true })
  else console.log(`The history is in ${to}`)
  return held
}

async function check(file: string): Promise<boolean> {
  const judgement = await checkFile(file)
  for (const text of violationTexts(judgement)) console.error(text)
  const { keys, open } = judgement
  return verdict([['keys answered, never answered', `${keys}, ${open}`], ...judged(judgement)])
}

async function main(): Promise<boolean> {
  if (values.check !== undefined) return check(path(values.check))
  const engines = await findEngines(process.env)
  if (engines === undefined)
    throw new Error('no Docker engine answers, and REDIS_URL and DATABASE_URL are not both set')
  try {
    return await record(engines)
  } finally {
    await engines.close()
  }
}

process.exitCode = (await main()) ? 0 : 1
