/** The tests of the kit, without its campaigns, on Node.js 22, the oldest line that is supported: `npx -y pnpm@10 test:node22`. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { installNode } from './node-versions.ts'

/** They start processes of their own, and the tests on Node.js 24 run them; what they do does not depend on the version. */
const campaigns = ['crash-matrix', 'faults', 'isolation', 'losses', 'lost-updates', 'payment-provider', 'purge-load']

const workspace = path.resolve(import.meta.dirname, '../../../..')
const folder = mkdtempSync(path.join(tmpdir(), 'concurrency-kit-node-22-'))
try {
  const node = installNode(22, folder)
  const vitest = path.join(workspace, 'node_modules/vitest/vitest.mjs')
  const without = campaigns.flatMap((campaign) => ['--exclude', `**/test/${campaign}/**`])
  const args = [vitest, 'run', 'packages/concurrency-kit/test', ...without, ...process.argv.slice(2)]
  process.exitCode = spawnSync(node, args, { cwd: workspace, stdio: 'inherit' }).status ?? 1
} finally {
  rmSync(folder, { recursive: true })
}
