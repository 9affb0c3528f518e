/**
 * Puts one fault after the other into a copy of the engine, and lets the simulator look for it:
 * `npx -y pnpm@10 -F concurrency-kit simulate:mutations [seeds]`. Fails if one is not found.
 */
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import path from 'node:path'
import { copyOfPackages, putInto } from '../broken-copies/copy.ts'
import { mutations } from './mutations.ts'

const [seeds = '2000'] = process.argv.slice(2)

function search(copy: string): { seed: number; invariant: string } | undefined {
  const main = path.join(copy, 'packages/concurrency-kit/test/simulator/main.ts')
  const { stdout } = spawnSync(process.execPath, ['--conditions=concurrency-kit-source', main, seeds], {
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  })
  const [, seed, invariant = ''] = /^seed (\d+): violated at [\d.]+ ms: ([^:]+)/m.exec(stdout) ?? []
  return seed === undefined ? undefined : { seed: Number(seed), invariant }
}

const copy = copyOfPackages()
try {
  console.log(`${'mutation'.padEnd(80)} ${'invariant violated'.padEnd(40)} seed, seeds tried`)
  for (const mutation of mutations) {
    const mend = putInto(copy, mutation)
    const found = search(copy)
    mend()
    if (found === undefined) process.exitCode = 1
    const { invariant, seed } = found ?? { invariant: 'NOT FOUND', seed: '' }
    console.log(
      `${mutation.what.padEnd(80)} ${invariant.padEnd(40)} ${String(seed).padStart(4)} ${found?.seed ?? seeds}`,
    )
  }
} finally {
  rmSync(copy, { recursive: true })
}
