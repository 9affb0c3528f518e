import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeProjects, type Projects, run } from './projects.ts'

let projects: Projects
beforeAll(() => {
  projects = makeProjects()
})
afterAll(() => projects.remove())

const entries = ['ioredis', 'knex', 'pg', 'redlock', 'testing']

/** The three guards on memory stores; the names are bound before it. */
const guards = `
const locks = memoryLockStore()
const records = memoryIdempotencyStore()
const rows = memoryVersionedStore({ rows: [[1, { balance: 0 }]] })
const credit = (row) => ({ balance: row.balance + 1 })
const charge = (key) => withDistributedLock({ store: locks, key: 'user:1' }, () =>
  withIdempotency({ store: records, key, onAmbiguous: 'refuse' }, () => optimisticUpdate({ store: rows, id: 1 }, credit)))
Promise.all(['a', 'b', 'a'].map(charge)).then(async () => {
  console.log((await rows.read({ id: 1, lock: false })).value.balance)
})`
const names =
  'memoryLockStore, memoryIdempotencyStore, memoryVersionedStore, withDistributedLock, withIdempotency, optimisticUpdate'

const sqlite = `
const knex = createKnex({ client: 'better-sqlite3', connection: { filename: ':memory:' }, useNullAsDefault: true })
const main = async () => {
  await createTables(knex, { idempotency: true })
  const store = knexIdempotencyStore({ knex })
  const once = () => withIdempotency({ store, key: 'a' }, async ({ transaction }) => (await transaction.raw('SELECT 41 + 1 AS n'))[0].n)
  console.log(await once(), await once())
  await knex.destroy()
}
main()`

const namesOfEntries = `\
ioredisIdempotencyStore,ioredisLockStore,ioredisVersionedStore
createTables,knexIdempotencyStore,knexLeasedIdempotencyStore,knexLockStore,knexVersionedStore,tableStatements
pgAdvisoryLockStore,pgIdempotencyStore,pgVersionedStore
redlockLockStore
idempotencyStoreContract,lockStoreContract,versionedStoreContract
`

const migration = (name: string) => readFileSync(path.join(import.meta.dirname, `../../migrations/${name}.sql`), 'utf8')

describe('what is in it', () => {
  test('P4: dist, migrations, README, LICENSE and the manifest, and nothing else', () => {
    const list = execFileSync('tar', ['-tzf', projects.tarball], { encoding: 'utf8' }).trim().split('\n')
    const others = list.filter(
      (file) =>
        !/^package\/(dist\/[\w.-]+\.(js|cjs|d\.ts|d\.cts)|migrations\/\w+\.sql|README\.md|LICENSE|package\.json)$/.test(
          file,
        ),
    )
    expect(others).toEqual([])
    expect(list).toEqual(
      expect.arrayContaining(['package/README.md', 'package/LICENSE', 'package/migrations/postgres.sql']),
    )
  })

  test('P4: the manifest leads to no sources, and depends on nothing at run time', () => {
    const file = path.join(projects.bare, 'node_modules/concurrency-kit/package.json')
    const manifest = JSON.parse(readFileSync(file, 'utf8'))
    expect(JSON.stringify(manifest.exports)).not.toMatch(/concurrency-kit-source|src\//)
    expect(Object.keys(manifest.exports)).toEqual([
      '.',
      ...entries.map((entry) => `./${entry}`),
      './migrations/*',
      './package.json',
    ])
    expect(manifest).toMatchObject({ sideEffects: false, engines: { node: '>=22' }, license: 'MIT' })
    expect(manifest.dependencies ?? {}).toEqual({})
    expect(Object.keys(manifest.peerDependencies)).toEqual(Object.keys(manifest.peerDependenciesMeta))
  })
})

describe.each([22, 24])('on Node.js %i', (line) => {
  test('ESM and CommonJS, without any of its peers', () => {
    const node = projects.nodes[line] as string
    expect(run(node, projects.bare, 'run.mjs', `import { ${names} } from 'concurrency-kit'${guards}`)).toBe('2\n')
    expect(run(node, projects.bare, 'run.cjs', `const { ${names} } = require('concurrency-kit')${guards}`)).toBe('2\n')
    const print = (module: string) => `console.log(Object.keys(${module}).sort().join())\n`
    const esm = entries.map((entry) => `import * as ${entry} from 'concurrency-kit/${entry}'\n${print(entry)}`)
    const cjs = entries.map((entry) => print(`require('concurrency-kit/${entry}')`))
    expect(run(node, projects.bare, 'entries.mjs', esm.join(''))).toBe(namesOfEntries)
    expect(run(node, projects.bare, 'entries.cjs', cjs.join(''))).toBe(namesOfEntries)
  })

  test('X5: the contracts run under node:test, and skip there what a store is not', () => {
    const source = `
import { describe, test } from 'node:test'
import { endLeases, memoryLockStore } from 'concurrency-kit'
import { lockStoreContract } from 'concurrency-kit/testing'
const open = async () => {
  const store = memoryLockStore()
  const rival = {
    name: 'rival',
    fencing: true,
    tryAcquire: (request) => store.tryAcquire(request),
    extend: (request) => store.extend(request),
    release: (request) => store.release(request),
    close: () => endLeases(rival),
  }
  return { store, rival, close: () => store.close() }
}
lockStoreContract({ describe, test }, 'in memory', open, { watchesRivals: false })`
    const report = run(projects.nodes[line] as string, projects.bare, 'contract.mjs', source)
    expect(report).toMatch(/^(#|ℹ) fail 0$/m)
    expect(report).toMatch(/^(#|ℹ) skipped 1$/m)
  })

  test('the migrations are files that are found by their names', () => {
    const source = ['postgres', 'sqlite']
      .map((name) => `console.log(fs.readFileSync(require.resolve('concurrency-kit/migrations/${name}.sql'), 'utf8'))`)
      .join('\n')
    const found = run(
      projects.nodes[line] as string,
      projects.bare,
      'migrations.cjs',
      `const fs = require('node:fs')\n${source}`,
    )
    expect(found).toBe(['postgres', 'sqlite'].map((name) => `${migration(name)}\n`).join(''))
  })

  test('concurrency-kit/knex with SQLite, ESM and CommonJS', () => {
    const node = projects.nodes[line] as string
    const esm = `import createKnex from 'knex'\nimport { withIdempotency } from 'concurrency-kit'\nimport { createTables, knexIdempotencyStore } from 'concurrency-kit/knex'`
    const cjs = `const createKnex = require('knex')\nconst { withIdempotency } = require('concurrency-kit')\nconst { createTables, knexIdempotencyStore } = require('concurrency-kit/knex')`
    expect(run(node, projects.full, 'run.mjs', esm + sqlite)).toBe('42 42\n')
    expect(run(node, projects.full, 'run.cjs', cjs + sqlite)).toBe('42 42\n')
  })

  test('P2: two copies of it in one tree, and its ESM and CommonJS, know each other’s errors and join each other’s queues', () => {
    const source = `
import * as first from 'first'
import * as second from 'second'
import { createRequire } from 'node:module'
const third = createRequire(import.meta.url)('first')
const store = first.memoryLockStore()
const kits = [first, second, third]
const errors = []
await first.withDistributedLock({ store, key: 'k' }, async () => {
  for (const kit of kits) errors.push(await kit.withDistributedLock({ store, key: 'k', waitMs: 0 }, () => {}).catch((error) => error))
})
console.log(new Set(kits.map((kit) => kit.LockUnavailableError)).size)
for (const kit of kits) console.log(errors.map((error) => kit.isLockUnavailableError(error) || kit.isReentrantLockError(error)).join())`
    expect(run(projects.nodes[line] as string, projects.twice, 'two.mjs', source)).toBe(
      '3\ntrue,true,true\ntrue,true,true\ntrue,true,true\n',
    )
  })
})
