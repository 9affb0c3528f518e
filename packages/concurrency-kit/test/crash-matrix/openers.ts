import type { LeasedIdempotencyStore } from '../../src/idempotency/idempotency-store.ts'
import { connectTo } from '../support/sqlite.ts'
import { type Answer, COMMAND_MS, companionOf, type Mode, type Opening, type Order, type Provider } from './charge.ts'
import { leasedCharge, transactionalCharge } from './charges.ts'
import { OwnStatements } from './own-statements.ts'
import { checkThenInsert, recordOutside } from './wrong-stores.ts'

/** Stores and their clients, as one process has them. */
interface Opened {
  charge(order: Order): Promise<Answer>
  close(): Promise<unknown>
  readonly statements?: OwnStatements
}

type Opener = (opening: Opening, provider: Provider) => Promise<Opened> | Opened

interface Account {
  readonly id: number
  readonly balance: number
}

/** Only what the store needs is loaded: a process is as soon ready. */
const openers = {
  pg: () => throughPg(false),
  'pg, pipelining': () => throughPg(true),
  'pg, groupCommit': throughGroups,
  'record outside': () => throughPg(false, recordOutside),
  'check, then insert': () => throughPg(false, checkThenInsert),
  knex: throughKnex,
  SQLite: throughSqlite,
  ioredis: overRedis,
  'knex, leased': throughKnexLeased,
} satisfies Record<string, () => Promise<Opener>>

export type StoreName = keyof typeof openers

export function openerOf(store: StoreName): Promise<Opener> {
  return openers[store]()
}

/** Every charge has a companion, which is ready at the same time and shares its transaction. */
async function throughGroups(): Promise<Opener> {
  const open = await throughPg(true, undefined, true)
  return async (opening, provider) => {
    const opened = await open(opening, provider)
    const charge = async (order: Order) => {
      const [answer] = await Promise.allSettled([order, companionOf(order)].map(opened.charge))
      if (answer?.status === 'fulfilled') return answer.value
      throw answer?.reason
    }
    return { ...opened, charge }
  }
}

async function throughPg(pipeline: boolean, wrong?: typeof recordOutside, groupCommit = false): Promise<Opener> {
  const { default: pg } = await import('pg')
  const { pgIdempotencyStore, pgVersionedStore } = await import('../../src/entries/pg.ts')
  return ({ url, isolationLevel }) => {
    const pool = new pg.Pool({ connectionString: url, pipeline, max: 8, connectionTimeoutMillis: 1_000 })
    pool.on('error', () => {})
    const options = { pool, commandMs: COMMAND_MS }
    const isolation = isolationLevel && { isolationLevel }
    const records = wrong?.(pool) ?? pgIdempotencyStore({ ...options, ...isolation, groupCommit })
    const accounts = pgVersionedStore<Account>({ ...options, table: 'accounts' })
    const rows = async (transaction: { query(sql: string): Promise<{ rows: [] }> }, sql: string) =>
      (await transaction.query(sql)).rows
    return { charge: transactionalCharge({ records, accounts, rows } as never), close: () => pool.end() }
  }
}

async function knexTo(url: string) {
  const { knexOn } = await import('../support/postgres-knex.ts')
  return knexOn(url, { max: 8 })
}

async function throughKnex(): Promise<Opener> {
  const { knexIdempotencyStore, knexVersionedStore } = await import('../../src/entries/knex.ts')
  return async ({ url, isolationLevel }) => {
    const knex = await knexTo(url)
    const records = knexIdempotencyStore({ knex, commandMs: COMMAND_MS, ...(isolationLevel && { isolationLevel }) })
    const accounts = knexVersionedStore<Account>({
      knex,
      table: 'accounts',
      commandMs: COMMAND_MS,
    })
    const charge = transactionalCharge({
      records,
      accounts,
      rows: async (transaction, sql) => (await transaction.raw(sql, [])).rows,
    })
    return { charge, close: () => knex.destroy() }
  }
}

async function throughSqlite(): Promise<Opener> {
  const { knexIdempotencyStore, knexVersionedStore } = await import('../../src/entries/knex.ts')
  return async ({ url }) => {
    const knex = connectTo(url)
    const statements = await OwnStatements.of(knex)
    const records = knexIdempotencyStore({ knex })
    const accounts = knexVersionedStore<Account>({ knex, table: 'accounts' })
    const charge = transactionalCharge({
      records,
      accounts,
      rows: async (transaction, sql) => transaction.raw(sql, []),
    })
    return { charge, statements, close: () => knex.destroy() }
  }
}

async function overRedis(): Promise<Opener> {
  const { Redis } = await import('ioredis')
  const { ioredisIdempotencyStore } = await import('../../src/entries/ioredis.ts')
  return ({ url, name, onAmbiguous }, provider) => {
    // As the documentation asks for it.
    const options = { connectionName: name, maxRetriesPerRequest: 1, retryStrategy: () => 10, socketTimeout: 1_000 }
    const client = new Redis(url, options).on('error', () => {})
    const store = ioredisIdempotencyStore({ client, commandMs: COMMAND_MS })
    return { charge: leased(store, onAmbiguous, provider), close: async () => client.disconnect() }
  }
}

async function throughKnexLeased(): Promise<Opener> {
  const { knexLeasedIdempotencyStore } = await import('../../src/entries/knex.ts')
  return async ({ url, onAmbiguous }, provider) => {
    const knex = await knexTo(url)
    const store = knexLeasedIdempotencyStore({ knex, commandMs: COMMAND_MS })
    return { charge: leased(store, onAmbiguous, provider), close: () => knex.destroy() }
  }
}

function leased(store: LeasedIdempotencyStore, mode: Mode | undefined, provider: Provider) {
  if (mode === undefined) throw new TypeError('a leased store needs onAmbiguous')
  return leasedCharge(store, mode, provider)
}
