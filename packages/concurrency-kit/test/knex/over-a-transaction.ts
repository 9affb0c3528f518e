import type { Knex } from 'knex'
import { expect, type test as vitestTest } from 'vitest'
import {
  createTables,
  knexIdempotencyStore,
  knexLeasedIdempotencyStore,
  knexLockStore,
  knexVersionedStore,
} from '../../src/entries/knex.ts'

interface Runner {
  readonly describe: (name: string, body: () => void) => void
  readonly test: typeof vitestTest
}

const factories = {
  knexIdempotencyStore: (knex: Knex) => knexIdempotencyStore({ knex }),
  knexLeasedIdempotencyStore: (knex: Knex) => knexLeasedIdempotencyStore({ knex }),
  knexLockStore: (knex: Knex) => knexLockStore({ knex }),
  knexVersionedStore: (knex: Knex) => knexVersionedStore({ knex, table: 'accounts' }),
}

/** A store that is made over a transaction would commit it, with whatever its owner has done in it. */
export function proveNoStoreOverATransaction(
  { describe, test }: Runner,
  name: string,
  open: () => Promise<{ readonly knex: Knex; close(): Promise<unknown> }>,
): void {
  describe(`stores over a transaction: ${name}`, () => {
    test.each(Object.entries(factories))('G14: %s is not made over a Knex transaction', async (_store, make) => {
      const { knex, close } = await open()
      try {
        await knex.transaction(async (transaction) => {
          expect(() => make(transaction)).toThrow(
            new TypeError(
              'knex must be a Knex instance, but is a Knex transaction: a store begins and ends transactions of its own',
            ),
          )
        })
      } finally {
        await close()
      }
    })

    test('G14: createTables still makes them in a migration’s own transaction', async () => {
      const { knex, close } = await open()
      try {
        await knex.transaction((transaction) => createTables(transaction, { locks: 'locks_of_a_migration' }))
        expect(await knex('locks_of_a_migration')).toEqual([])
      } finally {
        await close()
      }
    })
  })
}
