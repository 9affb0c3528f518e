/**
 * Breaks the code on purpose, one fault at a time in a copy, and runs the tests that name it: each must turn red.
 *
 *     pnpm -F concurrency-kit broken-copies [pitfall …]
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import type { Break } from './break.ts'
import { demoServerBreaks } from './breaks/demo-server.ts'
import { idempotencyBreaks } from './breaks/idempotency.ts'
import { ioredisBreaks } from './breaks/ioredis.ts'
import { lockBreaks } from './breaks/lock.ts'
import { lockOnPostgresBreaks } from './breaks/lock-on-postgres.ts'
import { optimisticBreaks } from './breaks/optimistic.ts'
import { postgresBreaks } from './breaks/postgres.ts'
import { redlockBreaks } from './breaks/redlock.ts'
import { copyOfPackages, putInto, workspace } from './copy.ts'

const vitest = path.join(workspace, 'node_modules/vitest/vitest.mjs')
const wanted = process.argv.slice(2)
const breaks = [
  ...lockBreaks,
  ...lockOnPostgresBreaks,
  ...idempotencyBreaks,
  ...optimisticBreaks,
  ...postgresBreaks,
  ...ioredisBreaks,
  ...redlockBreaks,
  ...demoServerBreaks,
]

function run(
  copy: string,
  { pitfall, tests, package: name = 'concurrency-kit' }: Break,
): { ran: number; failed: number } {
  const report = path.join(copy, 'report.json')
  const names = `${pitfall}(?![0-9])`
  const args = [vitest, 'run', '--root', copy, '--reporter', 'json', '--outputFile', report, '-t', names]
  spawnSync(process.execPath, [...args, `packages/${name}/${tests}`], { cwd: copy, timeout: 90_000 })
  const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, 'utf8'))
  rmSync(report)
  return { ran: numPassedTests + numFailedTests, failed: numFailedTests }
}

const copy = copyOfPackages()
let unseen = 0
try {
  for (const broken of breaks.filter(({ pitfall }) => wanted.length === 0 || wanted.includes(pitfall))) {
    const mend = putInto(copy, broken)
    const { ran, failed } = run(copy, broken)
    mend()
    if (failed === 0) unseen += 1
    const verdict = failed > 0 ? 'red' : 'NOT SEEN'
    process.stdout.write(`${broken.pitfall.padEnd(5)} ${verdict.padEnd(9)} ${failed} of ${ran} tests  ${broken.what}\n`)
  }
} finally {
  rmSync(copy, { recursive: true })
}
process.exitCode = unseen === 0 ? 0 : 1
