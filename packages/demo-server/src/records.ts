import type { TransactionalIdempotencyStore } from 'concurrency-kit'
import { knexIdempotencyStore } from 'concurrency-kit/knex'
import type { Knex } from 'knex'
import type { ChargeCommand } from './charge-balance.ts'
import type { Database } from './database.ts'

export type Records = TransactionalIdempotencyStore<Knex.Transaction>

/** What a key stands for: its fingerprint, wherever the key came from. */
export type ChargePayload = Pick<ChargeCommand, 'userId' | 'amount'>

/** The records of charges; looking one up uses the connection that waits for nothing. */
export function openRecords({ writer, reader }: Database): Records {
  const table = {
    table: 'charge_balance_idempotency',
    columns: { scope: null, outcome: null, result: 'response' },
    statusWords: { inProgress: 'IN_PROGRESS', completed: 'COMPLETED' },
    extraColumns: ({ userId, amount }: ChargePayload) => ({ user_id: userId, amount }),
  }
  const written = knexIdempotencyStore({ knex: writer, ...table })
  const read = knexIdempotencyStore({ knex: reader, ...table })
  return {
    name: written.name,
    kind: 'transactional',
    find: (request) => read.find(request),
    attempt: (request, handler) => written.attempt(request, handler),
    purge: (request) => written.purge(request),
  }
}
