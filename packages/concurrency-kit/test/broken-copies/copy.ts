import { cpSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Change } from './break.ts'

export const workspace = path.resolve(import.meta.dirname, '../../../..')

/** Sources and tests of both packages; what is installed is linked to, so the server in the copy runs on the intact kit. */
export function copyOfPackages(): string {
  const copy = mkdtempSync(path.join(tmpdir(), 'concurrency-kit-broken-'))
  for (const name of ['concurrency-kit', 'demo-server']) {
    const from = path.join(workspace, 'packages', name)
    const to = path.join(copy, 'packages', name)
    mkdirSync(to, { recursive: true })
    for (const part of ['src', 'test', 'bench', 'package.json'])
      cpSync(path.join(from, part), path.join(to, part), { recursive: true })
    symlinkSync(path.join(from, 'node_modules'), path.join(to, 'node_modules'))
  }
  cpSync(path.join(workspace, 'k6'), path.join(copy, 'k6'), { recursive: true })
  cpSync(path.join(workspace, 'vitest.config.ts'), path.join(copy, 'vitest.config.ts'))
  symlinkSync(path.join(workspace, 'node_modules'), path.join(copy, 'node_modules'))
  return copy
}

/** Returns what takes the change back. */
export function putInto(copy: string, { package: name = 'concurrency-kit', file, find, replace }: Change): () => void {
  const changed = path.join(copy, 'packages', name, file)
  const intact = readFileSync(changed, 'utf8')
  if (!intact.includes(find)) throw new Error(`${file} has no such text to break: ${find}`)
  writeFileSync(
    changed,
    intact.replaceAll(find, () => replace),
  )
  return () => writeFileSync(changed, intact)
}
