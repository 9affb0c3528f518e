import { optimisticUpdate } from 'concurrency-kit'
import { credit } from './database/accounts.ts'
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

export type ChargeBalance = (command: ChargeCommand, signal: AbortSignal) => Promise<Receipt>

/** The lock outside, the commit inside: whoever gets the lock next reads what this charge wrote. */
export function chargeBalance<Transaction>({
  guards,
  locks,
  records,
  accounts,
  limits,
  log,
}: Wiring<Transaction>): ChargeBalance {
  const { findReplay, withDistributedLock, withIdempotency } = guards
  const { lockTtlMs: ttlMs, lockWaitMs, keyWaitMs, recordRetentionMs: retentionMs } = limits
  return async ({ userId, amount, idempotencyKey: key }, signal) => {
    log.info(`Charging balance for userId: ${userId}, amount: ${amount}, idempotencyKey: ${key}`)
    const idempotency = { store: records, key, payload: { userId, amount }, waitMs: keyWaitMs, retentionMs }
    const replay = await findReplay(idempotency)
    if (replay.found) return replay.result
    // A lease lost on the way is no reason to fail a charge that the record and the version have decided.
    const lock = {
      store: locks,
      key: `balance:user:${userId}`,
      ttlMs,
      waitMs: lockWaitMs,
      signal,
      whenLost: 'return',
    } as const
    const receipt = await withDistributedLock(lock, () =>
      withIdempotency(idempotency, async ({ transaction }) => {
        const account = await optimisticUpdate({ store: accounts.within(transaction), id: userId }, credit(amount))
        return { userId, balance: account.balance, chargedAmount: amount, chargedAt: new Date().toISOString() }
      }),
    )
    log.info(`Charge completed successfully. idempotencyKey: ${key}`)
    return receipt
  }
}
