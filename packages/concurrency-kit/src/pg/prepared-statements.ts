import { createHash } from 'node:crypto'
import type { Statement } from '../sql/database.ts'
import { sqlState } from '../sql/errors.ts'
import type { PgQuery } from './pg-client.ts'

/** Statements as `pg` takes them: prepared once a connection, under a name that says what is in them. */
export class PreparedStatements {
  readonly #known = new Map<string, { readonly text: string; readonly name: string }>()
  #schema = 0

  query({ sql, bindings }: Statement): PgQuery {
    const known = this.#known.get(sql) ?? this.#name(sql)
    return { ...known, values: [...bindings] }
  }

  /**
   * Whether a statement failed because the table has changed since it was prepared; then it did nothing, and from now on
   * every statement is prepared anew.
   */
  outdated(error: unknown): boolean {
    if (sqlState(error) !== '0A000' || Reflect.get(error as object, 'routine') !== 'RevalidateCachedQuery') return false
    this.#schema += 1
    this.#known.clear()
    return true
  }

  #name(sql: string) {
    const [head = '', ...rest] = sql.split('?')
    const text = head + rest.map((part, index) => `$${index + 1}${part}`).join('')
    const digest = createHash('sha256').update(text).digest('base64url').slice(0, 22)
    const named = { text, name: `concurrency_kit_${digest}_${this.#schema}` }
    this.#known.set(sql, named)
    return named
  }
}
