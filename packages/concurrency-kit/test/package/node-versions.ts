import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'

/** The real program of a Node.js line, from the npm package of this platform: its `node` package is a wrapper. */
export function installNode(line: number, folder: string): string {
  const platform = process.platform === 'win32' ? 'win' : process.platform
  const name = `node-${platform}-${process.arch}`
  mkdirSync(folder, { recursive: true })
  writeFileSync(path.join(folder, 'package.json'), '{"private":true}')
  npmInstall(folder, [`${name}@${line}`])
  return path.join(folder, 'node_modules', name, 'bin', platform === 'win' ? 'node.exe' : 'node')
}

export function npmInstall(folder: string, packages: readonly string[]): void {
  const flags = ['--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error']
  execFileSync('npm', ['install', ...flags, ...packages], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
}
