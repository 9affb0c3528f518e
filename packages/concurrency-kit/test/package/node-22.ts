/** The tests of the kit, without its campaigns, on Node.js 22, the oldest line that is supported: `npx -y pnpm@10 test:node22`. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { installNode } from './node-versions.ts'

/** They start processes of their own, and the tests on Node.js 24 run them; what they do does not depend on the version. */
const campaigns = ['crash-matrix', 'faults', 'isolation', 'losses', 'lost-updates', 'payment-provider', 'purge-load']

const tests = 'packages/concurrency-kit/test'
const workspace = path.resolve(import.meta.dirname, '../../../..')
const folder = mkdtempSync(path.join(tmpdir(), 'concurrency-kit-node-22-'))
try {
  const node = installNode(22, folder)
  const vitest = path.join(workspace, 'node_modules/vitest/vitest.mjs')
  const parts = readdirSync(path.join(workspace, tests)).filter((part) => !campaigns.includes(part))
  const args = [vitest, 'run', ...parts.map((part) => `${tests}/${part}`), ...process.argv.slice(2)]
  process.exitCode = spawnSync(node, args, { cwd: workspace, stdio: 'inherit' }).status ?? 1
} finally {
  rmSync(folder, { recursive: true })
}
