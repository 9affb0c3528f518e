import { randomUUID } from 'node:crypto'
import { findReplay } from '../../src/idempotency/find-replay.ts'
import type { Probe } from '../../src/idempotency/idempotency-options.ts'
import type { LeasedIdempotencyStore, TransactionalIdempotencyStore } from '../../src/idempotency/idempotency-store.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { optimisticUpdate } from '../../src/optimistic/optimistic-update.ts'
import type { TransactableVersionedStore } from '../../src/optimistic/versioned-store.ts'
import { AMOUNT, type Answer, LEASE_MS, type Mode, type Order, type Provider } from './charge.ts'

interface Account {
  readonly id: number
  readonly balance: number
}

export interface TransactionalParts<Transaction> {
  readonly records: TransactionalIdempotencyStore<Transaction>
  readonly accounts: TransactableVersionedStore<number, Account, number, Transaction>
  rows(transaction: Transaction, sql: string): Promise<readonly Record<string, unknown>[]>
}

const WAIT_MS = 750

/** The charge, without the lock: what must hold does not hang on it. */
export function transactionalCharge<Transaction>({ records, accounts, rows }: TransactionalParts<Transaction>) {
  const credit = async ({ account }: Order, transaction: Transaction): Promise<number> => {
    const [row] = await rows(
      transaction,
      `UPDATE accounts SET balance = balance + ${AMOUNT}, version = version + 1 WHERE id = ${account} RETURNING balance`,
    )
    return Number(row?.['balance'])
  }
  const update = async ({ account }: Order, transaction: Transaction): Promise<number> => {
    const change = (row: Account) => ({ ...row, balance: row.balance + AMOUNT })
    return (await optimisticUpdate({ store: accounts.within(transaction), id: account }, change)).balance
  }
  return async (order: Order): Promise<Answer> => {
    const { key, account, flow } = order
    const options = { store: records, key, payload: { account, amount: AMOUNT }, waitMs: WAIT_MS }
    if (flow === 'guarded') {
      const replay = await findReplay<Answer>(options)
      if (replay.found) return replay.result
    }
    return withIdempotency(options, async ({ transaction }) => {
      const balance = await (flow === 'guarded' ? update : credit)(order, transaction)
      return { account, balance, nonce: randomUUID() }
    })
  }
}

/** The charge whose effect is at a provider. */
export function leasedCharge(store: LeasedIdempotencyStore, mode: Mode, provider: Provider) {
  const probe: Probe<Answer> = async ({ key }) => {
    const result = await provider.find(key)
    return result === undefined ? { found: false } : { found: true, result }
  }
  return async (order: Order): Promise<Answer> => {
    const { key, account, flow } = order
    const options = { store, key, payload: { account, amount: AMOUNT }, waitMs: WAIT_MS, leaseMs: LEASE_MS }
    if (flow === 'guarded') {
      const replay = await findReplay<Answer>(options)
      if (replay.found) return replay.result
    }
    return withIdempotency({ ...options, onAmbiguous: mode === 'probe' ? probe : mode }, async ({ assertOwned }) => {
      assertOwned()
      return provider.charge(order)
    })
  }
}
