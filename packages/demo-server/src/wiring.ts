import {
  findReplay,
  type LockStore,
  type TransactionalIdempotencyStore,
  withDistributedLock,
  withIdempotency,
} from 'concurrency-kit'
import type { Logger } from 'pino'
import type { Receipt } from './charge-balance.ts'
import type { Config, Limits, Switches } from './config.ts'
import type { Accounts } from './database/accounts.ts'
import type { Database } from './database/database.ts'
import type { ChargePayload } from './database/records.ts'

interface Idempotency<Transaction> {
  readonly store: TransactionalIdempotencyStore<Transaction>
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
interface Guards<Transaction> {
  findReplay(options: Idempotency<Transaction>): Promise<{ found: true; result: Receipt } | { found: false }>
  withDistributedLock(options: Locking, section: () => Promise<Receipt>): Promise<Receipt>
  withIdempotency(
    options: Idempotency<Transaction>,
    handler: (context: { readonly transaction: Transaction | undefined }) => Promise<Receipt>,
  ): Promise<Receipt>
}

export interface Wiring<Transaction> {
  readonly guards: Guards<Transaction>
  readonly locks: LockStore
  readonly records: TransactionalIdempotencyStore<Transaction>
  readonly accounts: Accounts<Transaction>
  readonly limits: Limits
  readonly log: Logger
}

export function wire<Transaction>(
  { records, accounts }: Database<Transaction>,
  locks: LockStore,
  { switches, limits }: Pick<Config, 'switches' | 'limits'>,
  log: Logger,
): Wiring<Transaction> {
  return { guards: guardsFor(switches), locks, records, accounts, limits, log }
}

function guardsFor<Transaction>({ lock, idempotency }: Switches): Guards<Transaction> {
  return {
    withDistributedLock: lock ? withDistributedLock : (_options, section) => section(),
    findReplay: idempotency ? findReplay : async () => ({ found: false }),
    withIdempotency: idempotency ? withIdempotency : (_options, handler) => handler({ transaction: undefined }),
  }
}
