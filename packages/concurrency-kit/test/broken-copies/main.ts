/**
 * Breaks the code on purpose, one fault at a time in a copy, and runs the tests that name it: each must turn red.
 *
 *     pnpm -F concurrency-kit broken-copies [pitfall …]
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Break } from './break.ts'
import { demoServerBreaks } from './breaks/demo-server.ts'
import { everyStoreBreaks } from './breaks/every-store.ts'
import { idempotencyBreaks } from './breaks/idempotency.ts'
import { ioredisBreaks } from './breaks/ioredis.ts'
import { lockBreaks } from './breaks/lock.ts'
import { lockOnPostgresBreaks } from './breaks/lock-on-postgres.ts'
import { optimisticBreaks } from './breaks/optimistic.ts'
import { postgresBreaks } from './breaks/postgres.ts'
import { redlockBreaks } from './breaks/redlock.ts'

const workspace = path.resolve(import.meta.dirname, '../../../..')
const vitest = path.join(workspace, 'node_modules/vitest/vitest.mjs')
const wanted = process.argv.slice(2)
const breaks = [
  ...lockBreaks,
  ...lockOnPostgresBreaks,
  ...everyStoreBreaks,
  ...idempotencyBreaks,
  ...optimisticBreaks,
  ...postgresBreaks,
  ...ioredisBreaks,
  ...redlockBreaks,
  ...demoServerBreaks,
]

/** Sources and tests of both packages; what is installed is linked to, so the server in the copy runs on the intact kit. */
function copyOf(): string {
  const copy = mkdtempSync(path.join(tmpdir(), 'concurrency-kit-broken-'))
  for (const name of ['concurrency-kit', 'demo-server']) {
    const from = path.join(workspace, 'packages', name)
    const to = path.join(copy, 'packages', name)
    mkdirSync(to, { recursive: true })
    for (const part of ['src', 'test', 'package.json'])
      cpSync(path.join(from, part), path.join(to, part), { recursive: true })
    symlinkSync(path.join(from, 'node_modules'), path.join(to, 'node_modules'))
  }
  cpSync(path.join(workspace, 'k6'), path.join(copy, 'k6'), { recursive: true })
  cpSync(path.join(workspace, 'vitest.config.ts'), path.join(copy, 'vitest.config.ts'))
  symlinkSync(path.join(workspace, 'node_modules'), path.join(copy, 'node_modules'))
  return copy
}

function run(
  copy: string,
  { pitfall, tests, package: name = 'concurrency-kit' }: Break,
): { ran: number; failed: number; intact: string[] } {
  const report = path.join(copy, 'report.json')
  const names = `${pitfall}(?![0-9])`
  const args = [vitest, 'run', '--root', copy, '--reporter', 'json', '--outputFile', report, '-t', names]
  spawnSync(process.execPath, [...args, `packages/${name}/${tests}`], { cwd: copy, timeout: 90_000 })
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

const copy = copyOf()
let unseen = 0
try {
  for (const broken of breaks.filter(({ pitfall }) => wanted.length === 0 || wanted.includes(pitfall))) {
    const file = path.join(copy, 'packages', broken.package ?? 'concurrency-kit', broken.file)
    const intact = readFileSync(file, 'utf8')
    if (!intact.includes(broken.find)) throw new Error(`${broken.file} has no such text to break: ${broken.find}`)
    writeFileSync(
      file,
      intact.replaceAll(broken.find, () => broken.replace),
    )
    const { ran, failed, intact: blind } = run(copy, broken)
    writeFileSync(file, intact)
    const seen = failed > 0 && (!broken.everyFile || blind.length === 0)
    if (!seen) unseen += 1
    const verdict = seen ? 'red' : 'NOT SEEN'
    const by = broken.everyFile && blind.length > 0 ? `  not by ${blind.join(', ')}` : ''
    process.stdout.write(
      `${broken.pitfall.padEnd(5)} ${verdict.padEnd(9)} ${failed} of ${ran} tests  ${broken.what}${by}\n`,
    )
  }
} finally {
  rmSync(copy, { recursive: true })
}
process.exitCode = unseen === 0 ? 0 : 1
