import type { Knex } from 'knex'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { createTables, knexLeasedIdempotencyStore, knexLockStore } from '../../src/entries/knex.ts'
import { findReplay } from '../../src/idempotency/find-replay.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { onPostgres } from '../support/engines.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'
import { type Account, clients, credit, type Process } from '../support/postgres-clients.ts'

const { describe, test } = onPostgres

/** `pg` gives up waiting for an answer then, while the server goes on with the statement. */
const QUERY_MS = 400

function hasty(url: string): string {
  const changed = new URL(url)
  changed.searchParams.set('query_timeout', String(QUERY_MS))
  changed.searchParams.set('application_name', 'hasty')
  return changed.href
}

const ONE = [{ one: 1 }]

interface Stuck {
  /** Sent by a rival in a transaction that stays open. */
  readonly rival?: string
  readonly call: (process: Process<unknown>, key: string) => Promise<unknown> | undefined
}

const raise = (account: Account) => ({ value: { ...account, balance: account.balance + 1 } })

const STUCK: Readonly<Record<string, Stuck>> = {
  'finding a record': {
    rival: 'LOCK TABLE idempotency_records',
    call: ({ store }, key) => findReplay({ store, key }),
  },
  'claiming a key': {
    rival: 'LOCK TABLE idempotency_records',
    call: ({ store }, key) => withIdempotency({ store, key, waitMs: 2_000 }, () => expect.unreachable()),
  },
  'completing a record': {
    call: ({ store }, key) => withIdempotency({ store, key: `slow to complete ${key}`, maxAttempts: 1 }, () => 'done'),
  },
  'a purge': {
    rival: 'LOCK TABLE idempotency_records',
    call: ({ store }) => store.purge({ limit: 10 }),
  },
  'a statement of the handler': {
    call: (process, key) =>
      withIdempotency({ store: process.store, key, maxAttempts: 1 }, async ({ transaction }) => {
        await process.query(transaction, 'SELECT pg_sleep(3)')
      }),
  },
  'a statement of the handler that it swallows': {
    call: (process, key) =>
      withIdempotency({ store: process.store, key, maxAttempts: 1 }, async ({ transaction }) => {
        await process.query(transaction, 'SELECT pg_sleep(3)').catch(() => {})
      }),
  },
  'a versioned row in the handler’s transaction': {
    rival: 'SELECT * FROM accounts FOR UPDATE',
    call: (process, key) =>
      withIdempotency({ store: process.store, key, maxAttempts: 1 }, ({ transaction }) => credit(process, transaction)),
  },
  'reading a versioned row': {
    rival: 'LOCK TABLE accounts',
    call: ({ accounts }) => accounts.read({ id: 1, lock: false }),
  },
  'writing a versioned row': {
    rival: 'SELECT * FROM accounts FOR UPDATE',
    call: ({ accounts }) => accounts.compareAndSet({ id: 1, expectedVersion: 1, value: { id: 1, balance: 1 } }),
  },
  'an update under the row’s lock': {
    rival: 'SELECT * FROM accounts FOR UPDATE',
    call: ({ accounts }) => accounts.updateLocked?.({ id: 1 }, ({ value }) => raise(value)),
  },
}

describe('a query_timeout of the client', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await testDatabase()
    await createTables(database.sql, { locks: true })
    await database.sql.raw(`
      CREATE FUNCTION take_long() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(3); RETURN NEW; END $$;
      CREATE TRIGGER take_long BEFORE UPDATE ON idempotency_records FOR EACH ROW
        WHEN (NEW.idempotency_key LIKE 'slow to complete%') EXECUTE FUNCTION take_long()`)
  })
  afterAll(() => database.close())
  // The server goes on with what its client has given up: until it notices, that is in the way of the next test.
  afterEach(() =>
    database.sql.raw(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'hasty'`),
  )
  beforeEach(() => database.sql.raw('UPDATE accounts SET balance = 0, version = 1'))

  /** The call, while the rival is in its way; and whether the pool's one client is of use right afterwards. */
  async function meets(
    rival: string | undefined,
    call: () => Promise<unknown> | undefined,
    ask: () => Promise<unknown>,
  ) {
    const transaction = await database.sql.transaction()
    try {
      if (rival !== undefined) await transaction.raw(rival)
      const [outcome] = await Promise.allSettled([call()])
      const next = await ask().catch((error: unknown) => `the next one’s statement: ${error}`)
      return { outcome: outcome.status, next }
    } finally {
      await transaction.rollback()
    }
  }

  for (const [name, open] of clients) {
    for (const [what, { rival, call }] of Object.entries(STUCK)) {
      test(`G11: ${what} through ${name}: a client whose statement still runs is dropped, not lent to the next`, async () => {
        const process = open(database, { url: hasty(database.url), max: 1 })
        const met = await meets(
          rival,
          () => call(process, `${what} through ${name}`),
          () => process.ask('SELECT 1 AS one'),
        )
        expect(met).toEqual({ outcome: 'rejected', next: ONE })
      })
    }
  }

  const claim = { scope: '', key: 'k', fingerprint: 'f', payload: null, owner: 'o', retentionMs: 60_000 }
  const leased: Readonly<Record<string, (knex: Knex) => Promise<unknown>>> = {
    'finding a leased record': (knex) => knexLeasedIdempotencyStore({ knex }).find(claim),
    'claiming a leased record': (knex) =>
      knexLeasedIdempotencyStore({ knex }).claim({ ...claim, leaseMs: 60_000, takeOver: false }),
    'renewing a leased record': (knex) => knexLeasedIdempotencyStore({ knex }).renew({ ...claim, leaseMs: 60_000 }),
    'acquiring a lock': async (knex) =>
      knexLockStore({ knex }).tryAcquire({
        key: 'k',
        holder: 'h',
        ttlMs: 60_000,
        tokens: 1,
        signal: AbortSignal.timeout(2_000),
      }),
  }
  for (const [what, call] of Object.entries(leased)) {
    test(`G11: ${what} through knex: a client whose statement still runs is dropped, not lent to the next`, async () => {
      const knex = database.knex({ connectionString: hasty(database.url), max: 1 })
      const met = await meets(
        'LOCK TABLE leased_idempotency_records, locks',
        () => call(knex),
        async () => (await knex.raw('SELECT 1 AS one')).rows,
      )
      expect(met).toEqual({ outcome: 'rejected', next: ONE })
    })
  }
})
