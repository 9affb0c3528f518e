import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeProjects, type Projects } from './projects.ts'

let projects: Projects
beforeAll(() => {
  projects = makeProjects()
})
afterAll(() => projects.remove())

const main = `
import { acquireLock, isStoreError, memoryIdempotencyStore, memoryLockStore, memoryVersionedStore, optimisticUpdate, withDistributedLock, withIdempotency } from 'concurrency-kit'
import type { LockStore } from 'concurrency-kit'
import { lockStoreContract } from 'concurrency-kit/testing'
const store: LockStore<true> = memoryLockStore()
const rows = memoryVersionedStore<number, { balance: number }>({ rows: [[1, { balance: 0 }]] })
const charge = (key: string) => withDistributedLock({ store, key: 'user:1' }, (lease) => {
  const token: bigint = lease.fencingToken
  return withIdempotency({ store: memoryIdempotencyStore(), key: key + token, onAmbiguous: 'refuse' }, ({ attempt }) =>
    optimisticUpdate({ store: rows, id: attempt }, (row) => ({ balance: row.balance + 1 })))
})
export const balance: Promise<number> = charge('a').then((row) => row.balance, (error) => (isStoreError(error) ? 0 : 1))
export const lease = acquireLock({ store, key: ['a', 'b'] }).then(({ fencingTokens }) => fencingTokens.get('a'))
export const contract: typeof lockStoreContract = lockStoreContract
`
const clients = `${main}
import { Cluster, Redis } from 'ioredis'
import { Client, Pool, type PoolClient } from 'pg'
import { ioredisIdempotencyStore, ioredisLockStore, ioredisVersionedStore } from 'concurrency-kit/ioredis'
import { pgAdvisoryLockStore, pgIdempotencyStore, pgVersionedStore } from 'concurrency-kit/pg'
import { redlockLockStore } from 'concurrency-kit/redlock'
const pool = new Pool()
export const fenced: LockStore<true>[] = [new Redis(), new Cluster([])].map((client) => ioredisLockStore({ client }))
export const documents = ioredisVersionedStore<string, { title: string }>({ client: new Redis() })
export const jobs = withIdempotency({ store: ioredisIdempotencyStore({ client: new Redis() }), key: 'a', onAmbiguous: 'rerun' }, () => 1)
export const unfenced: LockStore<false> = pgAdvisoryLockStore({ pool })
export const quorum = (redlock: Parameters<typeof redlockLockStore>[0]['redlock']): LockStore<false> => redlockLockStore({ redlock })
const users = pgVersionedStore<{ id: number; balance: number }>({ pool, table: 'users' })
export const charged: Promise<number> = withIdempotency({ store: pgIdempotencyStore({ pool }), key: 'a' }, async ({ transaction }) => {
  const own: Pick<PoolClient, 'query'> = transaction
  await own.query('SELECT 1')
  return (await optimisticUpdate({ store: users.within(transaction), id: 1 }, (row) => row)).balance
})
export const listener = new Client()
`
const knex = `${main}
import { describe, test } from 'node:test'
import type { ContractRunner } from 'concurrency-kit/testing'
export const runner: ContractRunner = { describe, test }
import createKnex from 'knex'
import type { Knex } from 'knex'
import { createTables, knexIdempotencyStore, knexLockStore, knexVersionedStore } from 'concurrency-kit/knex'
const db = createKnex({ client: 'better-sqlite3' })
const records = knexIdempotencyStore({ knex: db })
const accounts = knexVersionedStore<{ id: number; balance: number }>({ knex: db, table: 'accounts' })
export const recorded: Promise<number> = withIdempotency({ store: records, key: 'a' }, async ({ transaction }) => {
  const own: Knex.Transaction = transaction
  await own('accounts').where({ id: 1 })
  return (await optimisticUpdate({ store: accounts.within(transaction), id: 1 }, (row) => row)).balance
})
export const leases = knexLockStore({ knex: db })
export const made: Promise<void> = createTables(db, { locks: true })
`

const resolutions = [
  { module: 'node16', moduleResolution: 'node16' },
  { module: 'nodenext', moduleResolution: 'nodenext' },
  { module: 'esnext', moduleResolution: 'bundler' },
] as const

/** The program of a compiler: the project's own, or one of those that the types are tested with. */
function tscOf(root: string, compiler?: string): string {
  const others = path.join(import.meta.dirname, '../types/compilers')
  return path.join(compiler === undefined ? root : others, 'node_modules', compiler ?? 'typescript', 'bin/tsc')
}

/** What tsc has to say of a strict project that looks into the declarations too. */
function compile(root: string, name: string, source: string, options: object, compiler?: string): string {
  const folder = path.join(root, name)
  mkdirSync(folder)
  writeFileSync(path.join(folder, 'consumer.mts'), source)
  const compilerOptions = {
    noEmit: true,
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    target: 'es2022',
    lib: ['es2022'],
    esModuleInterop: true,
    ...options,
  }
  writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*'] }))
  return spawnSync(process.execPath, [tscOf(root, compiler), '-p', folder], { encoding: 'utf8' }).stdout
}

test.each(resolutions)(
  'P1, P4: under $moduleResolution with lib es2022, without the typings of Node.js',
  (resolution) => {
    expect(compile(projects.bare, resolution.moduleResolution, main, { ...resolution, types: [] })).toBe('')
  },
)

test.each(['typescript-5.9', 'typescript-7'])(
  'P4, X10: the declarations under %s, a result of a recursive type too',
  (compiler) => {
    const source = `${main}
type Json = string | number | boolean | null | Json[] | { [name: string]: Json }
declare const json: { data: Json; more: unknown }
export const stored: Promise<typeof json> = withIdempotency({ store: memoryIdempotencyStore(), key: 'a', onAmbiguous: 'refuse' }, () => json)
`
    const options = { module: 'nodenext', moduleResolution: 'nodenext', types: [] }
    expect(compile(projects.bare, compiler, source, options, compiler)).toBe('')
  },
)

test.each(resolutions)(
  'P1, P4: under $moduleResolution with lib es2022 and @types/node, concurrency-kit/knex too',
  (resolution) => {
    expect(compile(projects.full, resolution.moduleResolution, knex, { ...resolution, types: ['node'] })).toBe('')
  },
)

test.each(resolutions)(
  'P1, P4: under $moduleResolution, concurrency-kit/ioredis, pg and redlock with the clients’ own types',
  (resolution) => {
    // The declarations of ioredis 6 ask for a newer lib than the package's own.
    const options = { ...resolution, types: ['node'], lib: ['es2024', 'esnext.disposable'] }
    expect(compile(projects.full, `clients-${resolution.moduleResolution}`, clients, options)).toBe('')
  },
)

test.each(resolutions)('P1, P4: under $moduleResolution every entry without its client', (resolution) => {
  const entries = ['ioredis', 'knex', 'pg', 'redlock', 'testing']
  const source = entries.map((entry) => `export * as ${entry} from 'concurrency-kit/${entry}'`).join('\n')
  const options = { ...resolution, types: [] }
  expect(compile(projects.bare, `entries-${resolution.moduleResolution}`, source, options)).toBe('')
})

test('P1: `require` finds its types', () => {
  const source = `import kit = require('concurrency-kit')\nexport const store: kit.LockStore<true> = kit.memoryLockStore()\n`
  const folder = path.join(projects.bare, 'cjs')
  mkdirSync(folder)
  writeFileSync(path.join(folder, 'consumer.cts'), source)
  const compilerOptions = {
    noEmit: true,
    strict: true,
    skipLibCheck: false,
    module: 'nodenext',
    target: 'es2022',
    types: [],
  }
  writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*'] }))
  expect(spawnSync(process.execPath, [tscOf(projects.bare), '-p', folder], { encoding: 'utf8' }).stdout).toBe('')
})
