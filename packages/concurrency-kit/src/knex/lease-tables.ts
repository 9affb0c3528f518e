import { StoreError } from '../errors.ts'
import { dialectOf, type KnexClient } from './knex-client.ts'

type Use = 'leases' | 'transactions'

/** What each pool is used for: SQLite's is one connection, and a renewal would wait for the whole of a transaction. */
const uses = new WeakMap<object, Use>()

/**
 * Notes what `knex` is used for.
 *
 * @throws StoreError the pool already serves the other use.
 */
export function usePoolFor(use: Use, knex: KnexClient): void {
  if (!dialectOf(knex).leasesApart) return
  const pool: object = knex.client
  const other = uses.get(pool)
  if (other !== undefined && other !== use) {
    throw new StoreError(
      'leases and transactional records must not share one SQLite pool: a renewal would wait for every transaction; give the leases a database file of their own',
    )
  }
  uses.set(pool, use)
}
