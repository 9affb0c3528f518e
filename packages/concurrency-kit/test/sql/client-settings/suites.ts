import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import createKnex, { type Knex } from 'knex'
import pg from 'pg'
import {
  createTables,
  knexIdempotencyStore,
  knexLeasedIdempotencyStore,
  knexLockStore,
} from '../../../src/entries/knex.ts'
import { pgIdempotencyStore } from '../../../src/entries/pg.ts'
import { type ContractRunner, idempotencyStoreContract, lockStoreContract } from '../../../src/entries/testing.ts'
import { isAmbiguousOutcomeError } from '../../../src/errors.ts'
import { fingerprintOf } from '../../../src/idempotency/fingerprint.ts'
import type {
  LeasedIdempotencyStore,
  TransactionalIdempotencyStore,
} from '../../../src/idempotency/idempotency-store.ts'
import { purgeExpired } from '../../../src/idempotency/purge-expired.ts'
import { withIdempotency } from '../../../src/idempotency/with-idempotency.ts'
import { connectTo, sqliteFile } from '../../support/sqlite.ts'
import { bigIntegers, camelCase, type Setting } from './settings.ts'

type Suite = (runner: ContractRunner, setting: Setting) => void

const hasBigIntegers = (setting: Setting) => setting === 'integers as BigInt'
const hasCamelCase = (setting: Setting) => setting === 'identifiers in camelCase'

/** Through Knex on SQLite; each test has a file of its own. */
export const ON_SQLITE: Readonly<Record<string, Suite>> = {
  knexIdempotencyStore: (runner, setting) => {
    const open = async () => {
      const { knex, rivals, plain, close } = await sqlite(setting)
      await createTables(plain, { idempotency: true })
      await plain.raw('CREATE TABLE effects (id INTEGER PRIMARY KEY)')
      const count = async () => (await plain.raw('SELECT count(*) AS n FROM effects'))[0].n
      const add = async (transaction: Knex.Transaction) =>
        void (await transaction.raw('INSERT INTO effects DEFAULT VALUES'))
      return {
        store: knexIdempotencyStore({ knex }),
        rival: knexIdempotencyStore({ knex: rivals }),
        effects: { add, count },
        close,
      }
    }
    idempotencyStoreContract<Knex.Transaction>(runner, 'knex on SQLite', open, { kind: 'transactional' })
    provePurge(runner, open)
  },
  knexLeasedIdempotencyStore: (runner, setting) => {
    const open = async () => {
      const { knex, rivals, plain, close } = await sqlite(setting)
      await createTables(plain, { leasedIdempotency: true })
      return { store: knexLeasedIdempotencyStore({ knex }), rival: knexLeasedIdempotencyStore({ knex: rivals }), close }
    }
    idempotencyStoreContract(runner, 'knex on SQLite, leased', open, { kind: 'leased' })
    provePurge(runner, open)
    proveRefusal(runner, open)
  },
  knexLockStore: (runner, setting) =>
    lockStoreContract(runner, 'knex on SQLite', async () => {
      const { knex, rivals, plain, close } = await sqlite(setting)
      await createTables(plain, { locks: true })
      const [store, rival] = [knexLockStore({ knex }), knexLockStore({ knex: rivals })]
      return { store, rival, close: () => Promise.all([store.close(), rival.close()]).then(close) }
    }),
}

async function sqlite(setting: Setting) {
  const file = sqliteFile()
  const options = { safeIntegers: hasBigIntegers(setting), settings: hasCamelCase(setting) ? camelCase : {} }
  const [knex, rivals] = [file.connect(options), file.connect(options)]
  const plain = connectTo(file.file)
  const close = async () => {
    await plain.destroy()
    await file.close()
  }
  return { knex, rivals, plain, close }
}

/** On the Postgres of `DATABASE_URL`; each test has tables of its own. */
export const ON_POSTGRES: Readonly<Record<string, Suite>> = {
  knexIdempotencyStore: (runner, setting) => {
    const [knex, rivals] = [knexOnPostgres(setting), knexOnPostgres(setting)]
    const open = async () => {
      const { effects, table } = await tables('idempotency')
      const add = async (transaction: Knex.Transaction) => void (await transaction.raw(effects.add))
      return {
        store: knexIdempotencyStore({ knex, table }),
        rival: knexIdempotencyStore({ knex: rivals, table }),
        effects: { add, count: effects.count },
        close: async () => {},
      }
    }
    idempotencyStoreContract<Knex.Transaction>(runner, 'knex on Postgres', open, { kind: 'transactional' })
    provePurge(runner, open)
  },
  knexLeasedIdempotencyStore: (runner, setting) => {
    const [knex, rivals] = [knexOnPostgres(setting), knexOnPostgres(setting)]
    const open = async () => {
      const { table } = await tables('leasedIdempotency')
      const rival = knexLeasedIdempotencyStore({ knex: rivals, table })
      return { store: knexLeasedIdempotencyStore({ knex, table }), rival, close: async () => {} }
    }
    idempotencyStoreContract(runner, 'knex on Postgres, leased', open, { kind: 'leased' })
    provePurge(runner, open)
    proveRefusal(runner, open)
  },
  knexLockStore: (runner, setting) => {
    const [knex, rivals] = [knexOnPostgres(setting), knexOnPostgres(setting)]
    lockStoreContract(runner, 'knex on Postgres', async () => {
      const { table } = await tables('locks')
      const [store, rival] = [knexLockStore({ knex, table }), knexLockStore({ knex: rivals, table })]
      return { store, rival, close: async () => void (await Promise.all([store.close(), rival.close()])) }
    })
  },
  pgIdempotencyStore: (runner, setting) => throughPg(runner, setting, false, false),
  'pgIdempotencyStore, pipelining': (runner, setting) => throughPg(runner, setting, true, false),
  'pgIdempotencyStore, group commit': (runner, setting) => throughPg(runner, setting, true, true),
}

function throughPg(runner: ContractRunner, setting: Setting, pipeline: boolean, groupCommit: boolean): void {
  const types = hasBigIntegers(setting) ? { types: bigIntegers } : {}
  const connect = () => new pg.Pool({ connectionString: url(), pipeline, ...types }).on('error', () => {})
  const [pool, rivals] = [connect(), connect()]
  const open = async () => {
    const { effects, table } = await tables('idempotency')
    const add = async (transaction: pg.PoolClient) => void (await transaction.query(effects.add))
    const store = pgIdempotencyStore({ pool, groupCommit, table })
    const rival = pgIdempotencyStore({ pool: rivals, groupCommit, table })
    return { store, rival, effects: { add, count: effects.count }, close: async () => {} }
  }
  idempotencyStoreContract<pg.PoolClient>(runner, 'pg', open, { kind: 'transactional' })
  provePurge(runner, open)
}

function url(): string {
  return process.env['DATABASE_URL'] ?? ''
}

function knexOnPostgres(setting: Setting): Knex {
  const connection = { connectionString: url(), ...(hasBigIntegers(setting) && { types: bigIntegers }) }
  return createKnex({ client: 'pg', connection, pool: { min: 0, max: 10 }, ...(hasCamelCase(setting) && camelCase) })
}

let plain: Knex | undefined

async function tables(use: 'idempotency' | 'leasedIdempotency' | 'locks') {
  plain ??= createKnex({ client: 'pg', connection: url(), pool: { min: 0, max: 4 } })
  const sql = plain
  const table = `table_${randomUUID().replaceAll('-', '')}`
  await createTables(sql, { [use]: table })
  await sql.raw(`CREATE TABLE ${table}_effects (id bigserial)`)
  const count = async () => (await sql.raw(`SELECT count(*)::int AS n FROM ${table}_effects`)).rows[0].n
  return { table, effects: { add: `INSERT INTO ${table}_effects DEFAULT VALUES`, count } }
}

interface Opened {
  // biome-ignore lint/suspicious/noExplicitAny: a store of any transaction
  readonly store: TransactionalIdempotencyStore<any> | LeasedIdempotencyStore
  close(): Promise<void>
}

function provePurge({ test }: ContractRunner, open: () => Promise<Opened>): void {
  test('purgeExpired deletes all that has expired, and says how many', async () => {
    const { store, close } = await open()
    for (let number = 0; number < 150; number += 1) {
      const call = { key: `expired ${number}`, retentionMs: 1 }
      await (store.kind === 'leased'
        ? withIdempotency({ ...call, store, onAmbiguous: 'rerun' }, () => 1)
        : withIdempotency({ ...call, store }, () => 1))
    }
    await setTimeout(10)
    assert.equal(await purgeExpired({ store }), 150)
    assert.equal(await purgeExpired({ store }), 0)
    await close()
  })
}

function proveRefusal(
  { test }: ContractRunner,
  open: () => Promise<Opened & { readonly store: LeasedIdempotencyStore }>,
): void {
  test('a key whose owner has vanished is refused as ambiguous', async () => {
    const { store, close } = await open()
    const claim = { scope: '', key: 'k', owner: 'vanished', payload: undefined, fingerprint: fingerprintOf(undefined) }
    const claimed = await store.claim({ ...claim, leaseMs: 50, retentionMs: 60_000, takeOver: false })
    assert.deepEqual(claimed, { status: 'claimed', attempt: 1 })
    await setTimeout(100)
    await assert.rejects(
      withIdempotency({ store, key: 'k', onAmbiguous: 'refuse', waitMs: 1_000 }, () => assert.fail('ran')),
      isAmbiguousOutcomeError,
    )
    await close()
  })
}
