import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const main = fileURLToPath(new URL('../../src/demo/cluster/main.ts', import.meta.url))

test.each([
  ['false', 0],
  ['true', 1],
])('demo:cluster without Docker and URLs says so in one line; with CI=%s the exit status is %i', (CI, status) => {
  const { stdout, ...ended } = spawnSync(process.execPath, ['--conditions=concurrency-kit-source', main], {
    // A program that is there stands for k6, which is not started; no docker is on this PATH.
    env: { CI, K6: process.execPath, PATH: '' },
    encoding: 'utf8',
  })
  expect(stdout).toMatch(/^No Docker engine answers, and REDIS_URL and DATABASE_URL are not both set.*\n/)
  expect(ended.status).toBe(status)
})
