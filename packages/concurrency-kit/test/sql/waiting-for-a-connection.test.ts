import { describe, test } from 'vitest'
import {
  createTables,
  knexIdempotencyStore,
  knexLeasedIdempotencyStore,
  knexVersionedStore,
} from '../../src/entries/knex.ts'
import type { TransactionalIdempotencyStore } from '../../src/idempotency/idempotency-store.ts'
import type { Account } from '../support/postgres-clients.ts'
import { sqliteFile } from '../support/sqlite.ts'
import { COMMAND_MS, proveWaitsForConnections } from './waiting-for-a-connection.ts'

proveWaitsForConnections(
  { describe, test },
  'SQLite',
  async () => {
    const [file, leases] = [sqliteFile(), sqliteFile()]
    const [knex, leasing] = [file.connect(), leases.connect()]
    await createTables(knex, { idempotency: true })
    await createTables(leasing, { leasedIdempotency: true })
    await knex.raw('CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER, version INTEGER)')
    await knex.raw('INSERT INTO accounts VALUES (1, 0, 1)')
    return {
      store: knexIdempotencyStore({ knex, commandMs: COMMAND_MS }) as TransactionalIdempotencyStore<unknown>,
      accounts: knexVersionedStore<Account>({ knex, table: 'accounts' }),
      leased: knexLeasedIdempotencyStore({ knex: leasing }),
      async occupy() {
        const transactions = await Promise.all([knex.transaction(), leasing.transaction()])
        return () => Promise.all(transactions.map((transaction) => transaction.rollback()))
      },
      close: async () => void (await Promise.all([file.close(), leases.close()])),
    }
  },
  { leases: true, waitMsBounds: true },
)
