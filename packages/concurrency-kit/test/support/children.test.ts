import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { endChildren, spawn } from './children.ts'

const workspace = path.resolve(import.meta.dirname, '../../../..')
const here = (file: string) => path.join(import.meta.dirname, 'children', file)

/** Whether the process has ended, even if its parent has not collected it yet. */
function isGone(pid: number): boolean {
  const state = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim()
  return state === '' || state.startsWith('Z')
}

test('X11: a process that is killed takes its children along: one that is busy, one that is stopped, and a grandchild', async () => {
  const parent = spawn(process.execPath, [here('parent.ts')], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(createInterface(parent.stdout as NodeJS.ReadableStream), 'line')
  const pids = String(line).split(' ').map(Number)
  expect(pids.map(isGone)).toEqual([false, false, false, false])
  parent.kill('SIGKILL')
  await expect.poll(() => pids.map(isGone), { timeout: 10_000 }).toEqual([true, true, true, true])
})

test('X11: a test that times out leaves no process behind, and its file says which', async () => {
  const vitest = path.join(workspace, 'node_modules/vitest/vitest.mjs')
  const args = [vitest, 'run', '--config', here('vitest.config.ts'), '--reporter', 'verbose']
  const run = spawn(process.execPath, args, { cwd: here('.'), stdio: ['ignore', 'pipe', 'pipe'] })
  const [output, errors] = await Promise.all([text(run.stdout as never), text(run.stderr as never)])
  const pid = Number(/started (\d+)/.exec(output)?.[1])
  expect(isGone(pid)).toBe(true)
  expect(output + errors).toMatch(/left processes behind: .*setInterval/)
}, 60_000)

test('X11: what has ended is not taken for left behind', async () => {
  const child = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' })
  await once(child, 'exit')
  expect(await endChildren()).toEqual([])
})

test('X11: no test starts a process in another way', () => {
  const files = globSync(['packages/*/test/**/*.ts', 'examples/*.test.ts'], { cwd: workspace })
  const imports = /import (?:\w+|[^}]*[{ ](?:spawn|fork|exec|execFile)\b[^}]*\}) from 'node:child_process'/
  const others = files.filter(
    (file) => !file.endsWith('support/children.ts') && imports.test(readFileSync(path.join(workspace, file), 'utf8')),
  )
  expect(others).toEqual([])
})
