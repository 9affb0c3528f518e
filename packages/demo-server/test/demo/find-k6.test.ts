import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findK6, K6_VERSION } from '../../src/demo/find-k6.ts'

let folder: string
let lines: string[]

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'concurrency-kit-find-k6-'))
  lines = []
})
afterEach(() => rmSync(folder, { recursive: true }))

/** A shell script in a folder of its own, which is one entry of the PATH. */
function program(name: string, script: string): string {
  const file = path.join(folder, `${name}-bin`, name)
  mkdirSync(path.dirname(file), { recursive: true })
  writeFileSync(file, `#!/bin/sh\n${script}\n`)
  chmodSync(file, 0o755)
  return file
}

function find(env: Record<string, string> = {}) {
  const installed = ['k6', 'go', 'docker'].map((name) => path.join(folder, `${name}-bin`)).join(path.delimiter)
  return findK6({
    env: { PATH: `${installed}${path.delimiter}/usr/bin-of-nobody`, ...env },
    cache: path.join(folder, 'cache'),
    report: (line) => lines.push(line),
  })
}

/** Leaves a program where `go build -o <file>` was told to. */
const builds = `${'/bin/cp'} "$0" "$3"`

test('K6 comes before all others, and must be a program', async () => {
  const own = program('own', '')
  program('k6', '')
  expect(await find({ K6: own })).toEqual({ command: own, args: [] })
  await expect(find({ K6: path.join(folder, 'nothing') })).rejects.toThrow(
    /K6 must be the path of the k6 program, but is/,
  )
})

test('then the k6 of the PATH', async () => {
  const installed = program('k6', '')
  program('go', builds)
  expect(await find()).toEqual({ command: installed, args: [] })
  expect(lines).toEqual([])
})

test('then a build with Go of the pinned version, said so, and kept', async () => {
  program('go', builds)
  program('docker', '')
  const built = path.join(folder, 'cache', `k6-${K6_VERSION}`)
  expect(await find()).toEqual({ command: built, args: [] })
  expect(lines.join()).toContain(`Building k6 ${K6_VERSION} with Go`)
  rmSync(path.join(folder, 'go-bin'), { recursive: true })
  expect(await find()).toEqual({ command: built, args: [] })
})

test('then the image of the same version, if an engine answers; a build that fails is said', async () => {
  program('go', 'exit 1')
  const docker = program('docker', '')
  const found = await find()
  expect(lines).toContain('k6 could not be built with Go.')
  expect(found?.command).toBe(docker)
  expect(found?.args.at(-1)).toBe(`grafana/k6:${K6_VERSION.slice(1)}`)
})

test('without an engine that answers, or without any of them, there is none', async () => {
  expect(await find()).toBeUndefined()
  program('docker', 'exit 1')
  expect(await find()).toBeUndefined()
})
