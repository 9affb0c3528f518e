import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const workspace = path.resolve(import.meta.dirname, '../../..')
const documents = ['README.md', 'CONTRIBUTING.md', 'docs/events.md', 'docs/migrations.md', 'docs/retention.md']

/** What the snippets take from the reader's own program. */
const theReaders = {
  'database.ts': `import createKnex from 'knex'\nexport const knex = createKnex({ client: 'better-sqlite3' })\n`,
  // The types that redlock publishes are found by no resolution of today.
  'redlock.d.ts': `declare module 'redlock' {\n  const Redlock: new (clients: object[], settings: { retryCount: number }) => import('concurrency-kit/redlock').Redlock5\n  export default Redlock\n}\n`,
  'globals.d.ts': `declare const lockWait: { observe(seconds: number): void }\ndeclare class MyClient { end(): Promise<void> }\ndeclare function myLockStore(client: MyClient): import('concurrency-kit').LockStore<false>\n`,
}

let folder: string
beforeAll(() => {
  // Inside the package, so that its name leads to its sources.
  folder = mkdtempSync(path.join(import.meta.dirname, '.snippets-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

test('the snippets of the documents compile', { timeout: 60_000 }, () => {
  for (const [name, source] of Object.entries(theReaders)) writeFileSync(path.join(folder, name), source)
  for (const document of documents) {
    const text = readFileSync(path.join(workspace, document), 'utf8')
    const snippets = Array.from(text.matchAll(/^```ts\n(.*?)^```$/gms), ([, snippet]) => snippet as string)
    expect(snippets.length, document).toBeGreaterThan(0)
    for (const [index, snippet] of snippets.entries()) {
      writeFileSync(path.join(folder, `${path.basename(document, '.md')}-${index}.ts`), `${snippet}export {}\n`)
    }
  }
  writeFileSync(
    path.join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: path.join(workspace, 'tsconfig.base.json'), include: ['*'] }),
  )
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
  const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' })
  expect(stdout).toBe('')
  expect(status).toBe(0)
})
