import { optimisticUpdate, type Signal } from 'concurrency-kit'
import type { Wiring } from './wiring.ts'

export interface ChargeCommand {
  readonly userId: number
  readonly amount: number
  readonly idempotencyKey: string
}

/** What the client gets, and gets again when it repeats the key. */
export interface Receipt {
  readonly userId: number
  readonly balance: number
  readonly chargedAmount: number
  /** ISO 8601, UTC, with milliseconds. */
  readonly chargedAt: string
}

export type ChargeBalance = (command: ChargeCommand, signal: Signal) => Promise<Receipt>

/** The lock outside, the commit inside: whoever gets the lock next reads what this charge wrote. */
export function chargeBalance({ guards, locks, records, accounts, limits, log }: Wiring): ChargeBalance {
  const { findReplay, withDistributedLock, withIdempotency } = guards
  return async ({ userId, amount, idempotencyKey }, signal) => {
    log.info(`Charging balance for userId: ${userId}, amount: ${amount}, idempotencyKey: ${idempotencyKey}`)
    const idempotency = { store: records, key: idempotencyKey, payload: { userId, amount } }
    const replay = await findReplay(idempotency)
    if (replay.found) return replay.result
    // A lease lost on the way is no reason to fail a charge that the record and the version have decided.
    return withDistributedLock({ store: locks, key: `balance:user:${userId}`, signal, whenLost: 'return' }, () =>
      withIdempotency(idempotency, async ({ transaction }) => {
        const account = await optimisticUpdate({ store: accounts.within(transaction), id: userId }, credit(amount))
        return { userId, balance: account.balance, chargedAmount: amount, chargedAt: new Date().toISOString() }
      }),
    )
  }
}
