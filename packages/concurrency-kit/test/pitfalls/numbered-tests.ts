import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'

const workspace = path.resolve(import.meta.dirname, '../../../..')
const numbers = '[LISCHTPGVX]\\d+(?:, [LISCHTPGVX]\\d+)*'
/** In the name of a test, or as the number that a suite puts before it. */
const named = new RegExp(`['"\`](?:[^'"\`]*?[ ;])??(${numbers})(?:: | in redlock|['"\`])`, 'g')

/** The files with tests of each number, as the table names them. */
export function numberedTests(): Map<string, string[]> {
  const found = new Map<string, Set<string>>()
  for (const file of globSync('packages/*/test/**/*.ts', { cwd: workspace }).sort()) {
    if (/\/test\/(broken-copies|pitfalls|package\/projects)/.test(file)) continue
    for (const [, list = ''] of readFileSync(path.join(workspace, file), 'utf8').matchAll(named)) {
      for (const number of list.split(', ')) found.set(number, (found.get(number) ?? new Set()).add(called(file)))
    }
  }
  return new Map(Array.from(found, ([number, files]) => [number, [...files]]))
}

/** `lock/losing`, `demo-server: composition`; what runs on every store is one. */
function called(file: string): string {
  const [, name, rest = ''] = /^packages\/([^/]+)\/test\/(.*?)(?:\.engines)?(?:\.test)?\.ts$/.exec(file) ?? []
  if (rest.startsWith('lock/pitfalls/')) return '**every store**'
  if (rest.startsWith('idempotency/pitfalls/')) return '**every record store**'
  return name === 'concurrency-kit' ? rest : `${name}: ${rest}`
}
