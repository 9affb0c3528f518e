import { findReplay, type LockStore, memoryLockStore, withDistributedLock, withIdempotency } from 'concurrency-kit'
import type { Knex } from 'knex'
import type { Logger } from 'pino'
import { type Accounts, openAccounts } from './accounts.ts'
import type { Receipt } from './charge-balance.ts'
import type { Limits, Switches } from './config.ts'
import type { Database } from './database.ts'
import { type ChargePayload, openRecords, type Records } from './records.ts'

interface Idempotency {
  readonly store: Records
  readonly key: string
  readonly payload: ChargePayload
  readonly waitMs: number
  readonly retentionMs: number
}

interface Locking {
  readonly store: LockStore
  readonly key: string
  readonly ttlMs: number
  readonly waitMs: number
  readonly signal: AbortSignal
  readonly whenLost: 'return'
}

/** The guards as the charge uses them: the kit's own, or what a switch puts in their place. */
interface Guards {
  findReplay(options: Idempotency): Promise<{ found: true; result: Receipt } | { found: false }>
  withDistributedLock(options: Locking, section: () => Promise<Receipt>): Promise<Receipt>
  withIdempotency(
    options: Idempotency,
    handler: (context: { readonly transaction: Knex.Transaction | undefined }) => Promise<Receipt>,
  ): Promise<Receipt>
}

export interface Wiring {
  readonly guards: Guards
  readonly locks: LockStore
  readonly records: Records
  readonly accounts: Accounts
  readonly limits: Limits
  readonly log: Logger
}

export function wire(database: Database, switches: Switches, limits: Limits, log: Logger): Wiring {
  return {
    guards: guardsFor(switches),
    locks: memoryLockStore(),
    records: openRecords(database),
    accounts: openAccounts(database, switches),
    limits,
    log,
  }
}

function guardsFor({ lock, idempotency }: Switches): Guards {
  return {
    withDistributedLock: lock ? withDistributedLock : (_options, section) => section(),
    findReplay: idempotency ? findReplay : async () => ({ found: false }),
    withIdempotency: idempotency ? withIdempotency : (_options, handler) => handler({ transaction: undefined }),
  }
}
