import { setTimeout } from 'node:timers/promises'
import type { Knex } from 'knex'
import type { TransactionalIdempotencyStore } from '../../../src/index.ts'

export const recordTable = `CREATE TABLE records
  (scope TEXT, key TEXT, fingerprint TEXT, outcome TEXT, text TEXT, expires_at_ms INTEGER)`
export const markTable = 'CREATE TABLE marks (mark TEXT)'

/** What a handler writes, committed with its record. */
export type Marks = string[]

/**
 * Looks for the record, runs the handler and then writes one: no unique key, and nothing there while the handler runs. What runs
 * is known to its own object alone.
 */
export function sabotagedRecordStore(knex: Knex): TransactionalIdempotencyStore<Marks> {
  const find: TransactionalIdempotencyStore<Marks>['find'] = ({ scope, key }) =>
    knex('records')
      .where({ scope, key })
      .where('expires_at_ms', '>', Date.now())
      .first('fingerprint', 'outcome', 'text')
  const running = new Set<string>()
  return {
    name: 'sabotaged',
    kind: 'transactional',
    find,
    purge: async ({ limit }) => {
      const expired = knex('records').where('expires_at_ms', '<=', Date.now()).select('rowid').limit(limit)
      return knex('records').whereIn('rowid', expired).delete()
    },
    attempt: async (request, handler) => {
      const { scope, key, fingerprint, retentionMs, waitMs } = request
      const name = JSON.stringify([scope, key])
      const endMs = performance.now() + waitMs
      while (running.has(name)) {
        if (performance.now() >= endMs) return { status: 'in_progress' }
        await setTimeout(2)
      }
      running.add(name)
      try {
        const record = await find(request)
        if (record !== undefined) return { status: 'replay', record }
        const marks: Marks = []
        const { outcome, text } = await handler(marks)
        await knex.transaction(async (transaction) => {
          for (const mark of outcome === 'result' ? marks : []) await transaction('marks').insert({ mark })
          const row = { scope, key, fingerprint, outcome, text, expires_at_ms: Date.now() + retentionMs }
          await transaction('records').insert(row)
        })
        return { status: 'completed' }
      } finally {
        running.delete(name)
      }
    },
  }
}
