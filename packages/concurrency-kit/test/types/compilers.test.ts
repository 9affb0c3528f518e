import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const packageDir = path.resolve(import.meta.dirname, '../..')
const source = JSON.stringify(path.join(packageDir, 'src/index.ts'))

/** Calls that must not compile, and what the compiler must say of each. */
const refused: readonly (readonly [string, RegExp])[] = [
  ['withIdempotency({ store: records, key }, () => ({ at: new Date() }))', /Property 'codec' is missing/],
  ["withIdempotency({ store: leased, key, onAmbiguous: 'refuse' }, () => [1n])", /Property 'codec' is missing/],
  ['withIdempotency({ store: leased, key }, () => 1)', /Property 'onAmbiguous' is missing/],
  ["withIdempotency({ store: records, key, onAmbiguous: 'refuse' }, () => 1)", /'onAmbiguous' does not exist in type/],
  ["withIdempotency({ store: leased, key, onAmbiguous: 'hope' }, () => 1)", /Type '"hope"' is not assignable to type/],
]

let folder: string
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'concurrency-kit-compilers-'))
  const calls = refused.map(([call]) => `${call}\n`).join('')
  writeFileSync(
    path.join(folder, 'refused.mts'),
    `import { memoryIdempotencyStore, type TransactionalIdempotencyStore, withIdempotency } from ${source}
declare const records: TransactionalIdempotencyStore<object>
const [leased, key] = [memoryIdempotencyStore(), 'a']
${calls}`,
  )
  const files = [path.join(import.meta.dirname, 'results.test-d.ts'), 'refused.mts']
  const typeRoots = [path.join(packageDir, '../../node_modules/@types')]
  const compilerOptions = {
    target: 'es2023',
    lib: ['es2024', 'esnext.disposable'],
    module: 'nodenext',
    types: ['node'],
    typeRoots,
    noEmit: true,
    allowImportingTsExtensions: true,
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
  }
  const options = { compilerOptions, files }
  writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify(options))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Each error with the lines that explain it, by the line of `refused.mts`; what is said of other files is an error itself. */
function errorsOf(compiler: string): Map<number, string> {
  const tsc = path.join(import.meta.dirname, 'compilers/node_modules', compiler, 'bin/tsc')
  const { stdout } = spawnSync(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], {
    cwd: folder,
    encoding: 'utf8',
  })
  const errors = stdout.split(/^(?=\S)/m).map((error): [number, string] => {
    const [, line] = /^refused\.mts\((\d+),/.exec(error) ?? expect.fail(error)
    return [Number(line), error]
  })
  return new Map(errors)
}

describe.each(['typescript-5.9', 'typescript-6', 'typescript-7'])('%s', { timeout: 60_000 }, (compiler) => {
  test('X10: passes what is JSON, refuses what is not, and names what is missing', () => {
    const errors = errorsOf(compiler)
    expect([...errors.keys()]).toEqual(refused.map((_, index) => index + 4))
    for (const [index, [call, says]] of refused.entries()) expect(errors.get(index + 4), call).toMatch(says)
    // The older ones list every overload, and why it does not match.
    if (compiler === 'typescript-7') expect([...errors.values()].join('')).not.toMatch(/claim, renew|attempt/)
  })
})
