import type { KnexClient, KnexStatements } from './knex-client.ts'

/**
 * Statements of `knex` that are given up `ms` after they were sent, together with their connection: one that hangs would
 * be lent out again, and hang everybody after.
 */
export function bounded(knex: KnexClient, ms: number): KnexStatements {
  return {
    raw: (sql, bindings) => {
      const statement = knex.raw(sql, bindings) as PromiseLike<unknown> & { timeout(ms: number): PromiseLike<unknown> }
      return statement.timeout(ms)
    },
  }
}
