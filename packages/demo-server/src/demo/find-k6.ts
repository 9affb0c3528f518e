import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, existsSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../../', import.meta.url))

/** Pinned in `k6/build/go.mod` too, whose checksums Go verifies. */
export const K6_VERSION = 'v1.4.0'

/** How k6 is started: the program, and what comes before k6's own arguments. */
export interface K6 {
  readonly command: string
  readonly args: readonly string[]
}

interface Places {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where a k6 that was built is kept. */
  readonly cache: string
  readonly report: (line: string) => void
}

/**
 * k6 from the variable `K6`, from the PATH, built with Go, or as a container image, in this order; undefined if there is
 * none of them.
 *
 * @throws Error `K6` names no program.
 */
export async function findK6(places: Partial<Places> = {}): Promise<K6 | undefined> {
  const { env = process.env, cache = path.join(root, '.cache'), report = console.log } = places
  return installedK6(env) ?? (await builtWithGo(env, cache, report)) ?? inContainer(env)
}

/**
 * The k6 that is there already: of the variable `K6`, or on the PATH.
 *
 * @throws Error `K6` names no program.
 */
export function installedK6(env: Places['env'] = process.env): K6 | undefined {
  if (env.K6 !== undefined && env.K6 !== '') {
    if (!isProgram(env.K6)) throw new Error(`K6 must be the path of the k6 program, but is ${env.K6}`)
    return { command: env.K6, args: [] }
  }
  const installed = onPath('k6', env)
  return installed === undefined ? undefined : { command: installed, args: [] }
}

async function builtWithGo(env: Places['env'], cache: string, report: Places['report']): Promise<K6 | undefined> {
  const built = path.join(cache, `k6-${K6_VERSION}`)
  if (isProgram(built)) return { command: built, args: [] }
  const go = onPath('go', env)
  if (go === undefined) return undefined
  report(`Building k6 ${K6_VERSION} with Go, once; this takes about two minutes.`)
  mkdirSync(cache, { recursive: true })
  const startedAtMs = performance.now()
  const progress = setInterval(() => {
    report(`  still building, ${Math.round((performance.now() - startedAtMs) / 1000)} s`)
  }, 15_000)
  try {
    const build = spawn(go, ['build', '-o', built, 'go.k6.io/k6'], {
      cwd: path.join(root, 'k6/build'),
      env: { ...env, GOFLAGS: '-mod=readonly' },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const [code] = await once(build, 'exit')
    if (code === 0) return { command: built, args: [] }
    report('k6 could not be built with Go.')
    return undefined
  } finally {
    clearInterval(progress)
  }
}

function inContainer(env: Places['env']): K6 | undefined {
  const docker = onPath('docker', env)
  if (docker === undefined || spawnSync(docker, ['info'], { stdio: 'ignore', timeout: 10_000 }).status !== 0)
    return undefined
  const image = `grafana/k6:${K6_VERSION.slice(1)}`
  if (spawnSync(docker, ['pull', '-q', image], { stdio: 'ignore', timeout: 300_000 }).status !== 0) return undefined
  // The scripts are read from the checkout, and the summary is written where this process finds it, as its own user.
  const folders = ['-v', `${root}:${root}:ro`, '-v', `${tmpdir()}:${tmpdir()}`]
  const user = ['--user', `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`]
  return { command: docker, args: ['run', '--rm', '-i', '--network=host', ...user, ...folders, image] }
}

function onPath(name: string, env: Places['env']): string | undefined {
  const folders = (env.PATH ?? '').split(path.delimiter).filter((folder) => folder !== '')
  return folders.map((folder) => path.join(folder, name)).find(isProgram)
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return existsSync(file)
  } catch {
    return false
  }
}
