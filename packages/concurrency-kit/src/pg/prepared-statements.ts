import { createHash } from 'node:crypto'
import type { Statement } from '../sql/database.ts'
import { preparedIsOutdated, sqlState } from '../sql/errors.ts'
import type { PgQuery } from './pg-client.ts'

/** After connections have lost their prepared statements this many times, nothing is prepared any more. */
const MOST_LOSSES = 3

/** Values of the kit's own statements stay the text that Postgres sends, independent of the client's parsers. */
const AS_TEXT = { getTypeParser: () => String }

const ofPools = new WeakMap<object, PreparedStatements>()

/** Statements as `pg` takes them: prepared once per connection, under a name derived from their text. */
export class PreparedStatements {
  readonly #known = new Map<string, { readonly text: string; readonly name: string | undefined }>()
  #generation = 0
  #losses = 0
  #named: boolean

  /** @param named - False never prepares: the server parses each statement each time. */
  constructor(named: boolean) {
    this.#named = named
  }

  /** One instance per pool: when one store sees that statements were lost, all stores on the pool prepare again. */
  static of(pool: object): PreparedStatements {
    const known = ofPools.get(pool) ?? new PreparedStatements(true)
    ofPools.set(pool, known)
    return known
  }

  query({ sql, bindings, callersRows }: Statement): PgQuery {
    const { text, name } = this.#known.get(sql) ?? this.#name(sql)
    return { text, name, values: [...bindings], types: callersRows ? undefined : AS_TEXT }
  }

  /** Whether a statement failed only because its preparation is outdated; then all statements are prepared again. */
  outdated(error: unknown): boolean {
    if (!preparedIsOutdated(error)) return false
    if (sqlState(error) !== '0A000') this.#losses += 1
    if (this.#losses === MOST_LOSSES) this.#named = false
    this.#generation += 1
    this.#known.clear()
    return true
  }

  #name(sql: string) {
    const [head = '', ...rest] = sql.split('?')
    const text = head + rest.map((part, index) => `$${index + 1}${part}`).join('')
    const digest = createHash('sha256').update(text).digest('base64url').slice(0, 22)
    const name = this.#named ? `concurrency_kit_${digest}_${this.#generation}` : undefined
    const statement = { text, name }
    this.#known.set(sql, statement)
    return statement
  }
}
