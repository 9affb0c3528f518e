import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { installNode, npmInstall } from './node-versions.ts'

const clients = ['better-sqlite3@13.2.0', 'ioredis@6.0.0', 'knex@3.3.0', 'pg@8.23.1']

const packageDir = path.resolve(import.meta.dirname, '../..')

export interface Projects {
  readonly tarball: string
  /** The package alone: none of its optional peers, no typings of Node.js. */
  readonly bare: string
  /** With the clients, TypeScript and the typings of Node.js. */
  readonly full: string
  /** Two copies, called `first` and `second`. */
  readonly twice: string
  /** The program of each Node.js line that is supported. */
  readonly nodes: Readonly<Record<number, string>>
  remove(): void
}

/** Empty projects outside of the workspace, with the package as it would be published. */
export function makeProjects(): Projects {
  const folder = mkdtempSync(path.join(tmpdir(), 'concurrency-kit-package-'))
  const tarball = pack(folder)
  const project = (name: string, packages: readonly string[]): string => {
    const root = path.join(folder, name)
    mkdirSync(root)
    writeFileSync(path.join(root, 'package.json'), '{"private":true}')
    npmInstall(root, packages)
    return root
  }
  return {
    tarball,
    bare: project('bare', [tarball, 'typescript@6.0.3']),
    full: project('full', [tarball, 'typescript@6.0.3', '@types/node@24', '@types/pg@8', ...clients]),
    twice: project('twice', [`first@file:${tarball}`, `second@file:${tarball}`]),
    nodes: { 22: installNode(22, path.join(folder, 'node-22')), 24: installNode(24, path.join(folder, 'node-24')) },
    remove: () => rmSync(folder, { recursive: true }),
  }
}

function pack(folder: string): string {
  const pnpm = process.env.npm_execpath
  if (pnpm === undefined) throw new Error('run this by `pnpm test:package`')
  execFileSync(process.execPath, [pnpm, 'pack', '--pack-destination', folder], { cwd: packageDir, stdio: 'ignore' })
  const [name = ''] = readdirSync(folder).filter((file) => file.endsWith('.tgz'))
  return path.join(folder, name)
}

/** Runs a program in a project; what it printed, or an error with it. */
export function run(node: string, root: string, file: string, source: string): string {
  writeFileSync(path.join(root, file), source)
  return execFileSync(node, [file], { cwd: root, encoding: 'utf8' })
}
