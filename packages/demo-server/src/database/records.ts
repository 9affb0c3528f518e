import type { ChargeCommand } from '../charge-balance.ts'

/** What a key stands for: its fingerprint, wherever the key came from. */
export type ChargePayload = Pick<ChargeCommand, 'userId' | 'amount'>

/** The table of charges' records, as the kit is told of it. */
export const recordTable = {
  table: 'charge_balance_idempotency',
  columns: { scope: null, outcome: null, result: 'response' },
  statusWords: { inProgress: 'IN_PROGRESS', completed: 'COMPLETED' },
  extraColumns: ({ userId, amount }: ChargePayload) => ({ user_id: userId, amount }),
}
