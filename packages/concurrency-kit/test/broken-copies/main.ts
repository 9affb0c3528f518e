/**
 * Breaks the code on purpose, one fault at a time in a copy, and runs the tests that name it: each must turn red.
 *
 *     pnpm -F concurrency-kit broken-copies [pitfall …]
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import type { Break } from './break.ts'
import { breaks } from './breaks.ts'
import { copyOfPackages, putInto, workspace } from './copy.ts'

const vitest = path.join(workspace, 'node_modules/vitest/vitest.mjs')
const wanted = process.argv.slice(2)

function run(
  copy: string,
  { pitfall, tests, package: name = 'concurrency-kit' }: Break,
): { ran: number; failed: number; intact: string[] } {
  const report = path.join(copy, 'report.json')
  const names = `${pitfall}(?![0-9])`
  const args = [vitest, 'run', '--root', copy, '--reporter', 'json', '--outputFile', report, '-t', names]
  const { error } = spawnSync(process.execPath, [...args, `packages/${name}/${tests}`], { cwd: copy, timeout: 90_000 })
  // A fault that keeps the event loop busy is seen too.
  if (error !== undefined && Reflect.get(error, 'code') === 'ETIMEDOUT') return { ran: 1, failed: 1, intact: [] }
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, 'utf8'))
  rmSync(report)
  const files: { name: string; assertionResults: { status: string }[] }[] = testResults
  const intact = files
    .filter(({ assertionResults: all }) => all.some(passed) && !all.some(({ status }) => status === 'failed'))
    .map((file) => path.basename(file.name))
  return { ran: numPassedTests + numFailedTests, failed: numFailedTests, intact }
}

function passed({ status }: { status: string }): boolean {
  return status === 'passed'
}

const copy = copyOfPackages()
let unseen = 0
try {
  for (const broken of breaks.filter(({ pitfall }) => wanted.length === 0 || wanted.includes(pitfall))) {
    const mend = putInto(copy, broken)
    const { ran, failed, intact } = run(copy, broken)
    mend()
    const seen = failed > 0 && (!broken.everyFile || intact.length === 0)
    if (!seen) unseen += 1
    const verdict = seen ? 'red' : 'NOT SEEN'
    const by = broken.everyFile && intact.length > 0 ? `  not by ${intact.join(', ')}` : ''
    process.stdout.write(
      `${broken.pitfall.padEnd(5)} ${verdict.padEnd(9)} ${failed} of ${ran} tests  ${broken.what}${by}
`,
    )
  }
} finally {
  rmSync(copy, { recursive: true })
}
process.exitCode = unseen === 0 ? 0 : 1
