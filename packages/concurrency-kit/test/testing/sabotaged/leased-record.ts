import type { Knex } from 'knex'
import type { LeasedIdempotencyStore, OwnedRequest } from '../../../src/index.ts'
import { turns } from './turns.ts'

export const leasedRecordTable = `CREATE TABLE leased_records (scope TEXT, key TEXT, fingerprint TEXT, owner TEXT,
  attempt INTEGER, ends_at_ms INTEGER, outcome TEXT, text TEXT, expires_at_ms INTEGER, PRIMARY KEY (scope, key))`

/** Reads the record and then writes its claim, in two statements, which only its own turns keep together. */
export function sabotagedLeasedRecordStore(knex: Knex): LeasedIdempotencyStore {
  const inTurn = turns()
  const rows = () => knex('leased_records')
  const owned = ({ scope, key, owner }: OwnedRequest) => rows().where({ scope, key, owner })
  const one = (written: PromiseLike<number>) => inTurn(async () => (await written) === 1)
  return {
    name: 'sabotaged',
    kind: 'leased',
    find: ({ scope, key }) =>
      rows()
        .where({ scope, key })
        .whereNotNull('outcome')
        .where('expires_at_ms', '>', Date.now())
        .first('fingerprint', 'outcome', 'text'),
    purge: async ({ limit }) => {
      const expired = rows().whereNotNull('outcome').where('expires_at_ms', '<=', Date.now())
      return rows().whereIn('rowid', expired.select('rowid').limit(limit)).delete()
    },
    claim: ({ scope, key, fingerprint, owner, leaseMs, takeOver }) =>
      inTurn(async () => {
        const row = await rows().where({ scope, key }).first()
        const absent = row === undefined || (row.outcome !== null && row.expires_at_ms <= Date.now())
        if (!absent && row.outcome !== null) {
          return { status: 'completed', record: { fingerprint: row.fingerprint, outcome: row.outcome, text: row.text } }
        }
        if (!absent && row.owner !== owner) {
          const freeInMs = row.ends_at_ms - Date.now()
          if (freeInMs > 0) return { status: 'in_progress', fingerprint: row.fingerprint, freeInMs }
          if (!takeOver || row.fingerprint !== fingerprint) return { status: 'vanished', fingerprint: row.fingerprint }
        }
        const attempt = absent ? 1 : row.attempt + (row.owner === owner ? 0 : 1)
        const claimed = { scope, key, fingerprint, owner, attempt, ends_at_ms: Date.now() + leaseMs, outcome: null }
        await rows().insert(claimed).onConflict(['scope', 'key']).merge()
        return { status: 'claimed', attempt }
      }),
    renew: ({ leaseMs, ...request }) =>
      one(
        owned(request)
          .whereNull('outcome')
          .update({ ends_at_ms: Date.now() + leaseMs }),
      ),
    complete: ({ outcome, text, retentionMs, ...request }) =>
      one(owned(request).update({ outcome, text, expires_at_ms: Date.now() + retentionMs })),
    abandon: (request) => one(owned(request).whereNull('outcome').delete()),
  }
}
