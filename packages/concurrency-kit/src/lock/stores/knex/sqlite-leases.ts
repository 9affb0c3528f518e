import type { Database, OwnedTransaction, Row } from '../../../sql/database.ts'
import { quotedTable } from '../../../sql/names.ts'
import { sqlite } from '../../../sql/sqlite.ts'
import { PLACE_MS, TURN, TURN_MS } from '../../places.ts'
import { type Attempt, type LeaseTable, PROLONG_MS } from './lease-table.ts'

/**
 * What needs several statements has one transaction, whose first statement writes. One who waits only reads while its place
 * is fresh and the key is another's; a key that nobody waits for is released by one statement.
 */
export function sqliteLeases(database: Database<unknown, never>, table: string): LeaseTable {
  const sql = statements(table)
  const what = 'a statement on leases'
  const alone = (statement: string, bindings: readonly unknown[]) => database.alone(what, { sql: statement, bindings })
  const matches = async (statement: string, bindings: readonly unknown[]) =>
    (await alone(statement, bindings)).length === 1

  async function writing<Answer>(command: (rowsOf: Send) => Promise<Answer>): Promise<Answer> {
    const owned: OwnedTransaction<unknown> = await database.begin({})
    let answer: Answer
    try {
      answer = await command((statement, bindings) => owned.rows(what, { sql: statement, bindings }))
    } catch (error) {
      await owned.rollback()
      throw error
    }
    const ended = await owned.commit()
    if (ended.status === 'committed') return answer
    throw ended.cause
  }

  const leases: LeaseTable = {
    async acquire({ key, holder, ttlMs, tokens }, waiter) {
      const own = [holder, TURN + waiter]
      const [held] = waiter === '' ? [] : await alone(sql.heldByAnother, [waiter, key, ...own])
      if (held !== undefined) return refused(held)
      return writing(async (rowsOf) => {
        const granted = await rowsOf(sql.grant, [key, holder, ttlMs, TURN + waiter])
        if (granted.length === 0) {
          if (waiter !== '') await rowsOf(sql.queue, [key, waiter])
          const [lease] = await rowsOf(sql.lease, [waiter, key])
          return refused(lease)
        }
        const [counter] = await rowsOf(sql.reserve, [tokens, tokens, tokens])
        return { acquired: true, firstToken: BigInt(String(counter?.['first_token'])), tokens }
      })
    },
    extend: (key, holder, ttlMs) => matches(sql.extend, [ttlMs, key, holder]),
    async release(key, holder, waiter, others) {
      if (!others && (await matches(sql.releaseUnwanted, [key, holder, key]))) return true
      return writing(async (rowsOf) => {
        await rowsOf(sql.leave, [key, waiter])
        const [lease] = await rowsOf(sql.next, [key, holder, TURN + waiter])
        if (lease === undefined) return false
        const next = lease['next']
        if (typeof next === 'string') {
          await rowsOf(sql.keep, [TURN + next, key])
          await rowsOf(sql.call, [key, next])
        } else {
          await rowsOf(sql.free, [key])
          await rowsOf(sql.empty, [key])
        }
        return lease['holder'] === holder
      })
    },
    leave: (key, waiter) => leases.release(key, TURN + waiter, waiter, true),
  }
  return leases
}

type Send = (statement: string, bindings: readonly unknown[]) => Promise<Row[]>

function refused(lease: Row | undefined): Attempt {
  return {
    acquired: false,
    freeInMs: Math.max(1, Number(lease?.['left_ms'] ?? 1)),
    ahead: Number(lease?.['ahead'] ?? 0),
  }
}

function statements(table: string) {
  const { nowMs, integer } = sqlite
  const locks = quotedTable('table', table)
  const waiters = quotedTable('table', `${table}_waiters`)
  const counter = quotedTable('table', `${table}_tokens`)
  const lease = `SELECT lease.ends_at_ms - ${nowMs} AS left_ms, (
        SELECT count(*) FROM ${waiters} AS other WHERE other.key = place.key AND other.waiter <> place.waiter
        AND other.ends_at_ms > ${nowMs} + ${TURN_MS} AND other.since_ms <= place.since_ms
      ) AS ahead
      FROM ${locks} AS lease LEFT JOIN ${waiters} AS place ON place.key = lease.key AND place.waiter = ?
      WHERE lease.key = ?`
  return {
    lease,
    heldByAnother: `${lease} AND lease.holder NOT IN (?, ?) AND lease.ends_at_ms > ${nowMs}
      AND place.ends_at_ms >= ${nowMs} + ${PROLONG_MS}`,
    // Names the waiters too: where their table is missing nothing is granted, as it could not be released.
    grant: `INSERT INTO ${locks} (key, holder, ends_at_ms) VALUES (?, ?, ${nowMs} + ${integer})
      ON CONFLICT (key) DO UPDATE SET holder = excluded.holder, ends_at_ms = excluded.ends_at_ms
      WHERE ${locks}.holder IN (excluded.holder, ?) OR ${locks}.ends_at_ms <= ${nowMs}
      RETURNING (SELECT 1 FROM ${waiters} LIMIT 0)`,
    queue: `INSERT INTO ${waiters} (key, waiter, since_ms, ends_at_ms) VALUES (?, ?, ${nowMs}, ${nowMs} + ${PLACE_MS})
      ON CONFLICT (key, waiter) DO UPDATE SET ends_at_ms = excluded.ends_at_ms`,
    // As text: a driver reads integers past 2^53 inexactly. A counter that was lost starts again at the microseconds.
    reserve: `INSERT INTO ${counter} (id, next_token) VALUES (1, ${nowMs} * 1000 + ${integer})
      ON CONFLICT (id) DO UPDATE SET next_token = max(next_token, ${nowMs} * 1000) + ${integer}
      RETURNING CAST(next_token - ${integer} AS TEXT) AS first_token`,
    extend: `UPDATE ${locks} SET ends_at_ms = ${nowMs} + ${integer} WHERE key = ? AND holder = ? AND ends_at_ms > ${nowMs} RETURNING 1`,
    releaseUnwanted: `DELETE FROM ${locks} WHERE key = ? AND holder = ?
      AND NOT EXISTS (SELECT 1 FROM ${waiters} WHERE key = ?) RETURNING 1`,
    leave: `DELETE FROM ${waiters} WHERE key = ? AND (waiter = ? OR ends_at_ms <= ${nowMs} - ${PLACE_MS}) RETURNING 1`,
    next: `SELECT holder, (
        SELECT waiter FROM ${waiters} WHERE key = lease.key AND ends_at_ms > ${nowMs} ORDER BY since_ms, waiter LIMIT 1
      ) AS next
      FROM ${locks} AS lease WHERE key = ? AND holder IN (?, ?)`,
    keep: `UPDATE ${locks} SET holder = ?, ends_at_ms = ${nowMs} + ${TURN_MS} WHERE key = ? RETURNING 1`,
    call: `UPDATE ${waiters} SET ends_at_ms = ${nowMs} + ${TURN_MS} WHERE key = ? AND waiter = ? RETURNING 1`,
    free: `DELETE FROM ${locks} WHERE key = ? RETURNING 1`,
    empty: `DELETE FROM ${waiters} WHERE key = ? RETURNING 1`,
  }
}
