import { randomUUID } from 'node:crypto'
import { createTables, knexIdempotencyStore } from '../../src/entries/knex.ts'
import type { FindReplayOptions } from '../../src/idempotency/find-replay.ts'
import type { TransactionalIdempotencyStore } from '../../src/idempotency/idempotency-store.ts'
import type { TransactionalContext } from '../../src/idempotency/transactional-run.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import type { TestDatabase } from './postgres.ts'
import { clients } from './postgres-clients.ts'
import { sqliteFile } from './sqlite.ts'
import { nestedInKnex, throughKnex, type WaysToNest, type WaysToSend } from './ways-to-send.ts'

type FinalErrors = NonNullable<FindReplayOptions<unknown>['finalErrors']>

type Handler = (transaction: never, context: TransactionalContext<unknown>) => unknown

/** Records and `effects (note unique)` in one database, for bodies that must hold through every client. */
export interface Place {
  readonly store: TransactionalIdempotencyStore<unknown>
  /** Through a handler's transaction. */
  query(transaction: never, sql: string): Promise<Record<string, unknown>[]>
  readonly ways: WaysToSend
  readonly nested: WaysToNest
  /** Runs the handler under this key; with group commit beside others, in one transaction. */
  call(key: string, handler: Handler, options?: { readonly finalErrors?: FinalErrors }): Promise<unknown>
  /** The committed notes, as another connection sees them. */
  effects(): Promise<string[]>
  /** Forgets effects and records. */
  clear(): Promise<void>
  close(): Promise<void>
}

export type OpenPlace = () => Promise<Place>

export function insert(place: Place, transaction: never, note: string): Promise<unknown> {
  return place.query(transaction, `INSERT INTO effects (note) VALUES ('${note}')`)
}

export const openSqlite: OpenPlace = async () => {
  const database = sqliteFile()
  const knex = database.connect()
  const other = database.connect()
  await createTables(knex, { idempotency: true })
  await knex.raw('CREATE TABLE effects (id INTEGER PRIMARY KEY, note TEXT UNIQUE)')
  const store = knexIdempotencyStore({ knex }) as TransactionalIdempotencyStore<unknown>
  return {
    store,
    query: (transaction, sql) => (transaction as typeof knex).raw(sql),
    ways: throughKnex(knex),
    nested: nestedInKnex,
    call: (key, handler, options = {}) => callOf(store, key, handler, options),
    effects: async () => (await other.raw('SELECT note FROM effects ORDER BY id')).map(noteOf),
    async clear() {
      await other.raw('DELETE FROM effects')
      await other.raw('DELETE FROM idempotency_records')
    },
    close: () => database.close(),
  }
}

/** The clients of Postgres, each with the way to open it on a database. */
export const postgresPlaces: readonly (readonly [string, (database: TestDatabase) => OpenPlace])[] = clients.map(
  ([name, open]) => [
    name,
    (database) => async () => {
      const clear = async () => {
        await database.sql.raw('DELETE FROM idempotency_records; DELETE FROM effects')
      }
      await clear()
      const { store, query, ways, nested } = open(database)
      const shares = name.includes('group commit')
      return {
        store,
        query,
        ways,
        nested,
        async call(key, handler, options = {}) {
          if (!shares || options.finalErrors !== undefined) return callOf(store, key, handler, options)
          // The first of all goes alone; those that come while it runs share the next transaction.
          const neighbours = [neighbour(store)]
          const called = callOf(store, key, handler, options)
          neighbours.push(neighbour(store))
          await Promise.allSettled([called, ...neighbours])
          return called
        },
        effects: async () => (await database.sql.raw('SELECT note FROM effects ORDER BY id')).rows.map(noteOf),
        clear,
        close: async () => {},
      }
    },
  ],
)

function callOf(
  store: Place['store'],
  key: string,
  handler: Handler,
  options: { readonly finalErrors?: FinalErrors },
): Promise<unknown> {
  return withIdempotency<unknown, unknown>({ store, key, ...options }, (context) =>
    handler(context.transaction as never, context),
  )
}

function neighbour(store: Place['store']): Promise<unknown> {
  return callOf(store, `neighbour ${randomUUID()}`, () => 'done', {})
}

function noteOf({ note }: { readonly note: string }): string {
  return note
}
