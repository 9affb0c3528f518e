import { type KnexClient, rowsOf } from '../../../knex/knex-client.ts'
import { begin } from '../../../knex/transaction.ts'
import { quoted } from '../../../sql/names.ts'
import { sqlite } from '../../../sql/sqlite.ts'
import type { LeaseTable } from './lease-table.ts'

/** The lease and its tokens are had in one transaction, whose first statement writes. */
export function sqliteLeases(knex: KnexClient, table: string): LeaseTable {
  const sql = statements(table)
  const matches = async (statement: string, bindings: readonly unknown[]) =>
    (await rowsOf(knex, statement, bindings)).length === 1
  return {
    async acquire({ key, holder, ttlMs, tokens }) {
      const attempt = await begin(knex)
      try {
        const { transaction } = attempt
        const granted = await rowsOf(transaction, sql.grant, [key, holder, ttlMs])
        if (granted.length === 0) {
          const [lease] = await rowsOf(transaction, sql.left, [key])
          await attempt.rollback()
          return { acquired: false, freeInMs: Math.max(1, Number(lease?.['left_ms'] ?? 1)) }
        }
        const [counter] = await rowsOf(transaction, sql.reserve, [tokens, tokens, tokens])
        await attempt.commit()
        return { acquired: true, firstToken: BigInt(String(counter?.['first_token'])), tokens }
      } catch (error) {
        await attempt.rollback()
        throw error
      }
    },
    extend: (key, holder, ttlMs) => matches(sql.extend, [ttlMs, key, holder]),
    release: (key, holder) => matches(sql.release, [key, holder]),
  }
}

function statements(table: string) {
  const { nowMs, integer } = sqlite
  const locks = quoted('table', table)
  const counter = quoted('table', `${table}_tokens`)
  return {
    grant: `INSERT INTO ${locks} (key, holder, ends_at_ms) VALUES (?, ?, ${nowMs} + ${integer})
      ON CONFLICT (key) DO UPDATE SET holder = excluded.holder, ends_at_ms = excluded.ends_at_ms
      WHERE ${locks}.holder = excluded.holder OR ${locks}.ends_at_ms <= ${nowMs} RETURNING 1`,
    left: `SELECT ends_at_ms - ${nowMs} AS left_ms FROM ${locks} WHERE key = ?`,
    // As text: a driver reads integers past 2^53 inexactly. A counter that was lost starts again at the microseconds.
    reserve: `INSERT INTO ${counter} (id, next_token) VALUES (1, ${nowMs} * 1000 + ${integer})
      ON CONFLICT (id) DO UPDATE SET next_token = max(next_token, ${nowMs} * 1000) + ${integer}
      RETURNING CAST(next_token - ${integer} AS TEXT) AS first_token`,
    extend: `UPDATE ${locks} SET ends_at_ms = ${nowMs} + ${integer} WHERE key = ? AND holder = ? AND ends_at_ms > ${nowMs} RETURNING 1`,
    release: `DELETE FROM ${locks} WHERE key = ? AND holder = ? RETURNING 1`,
  }
}
