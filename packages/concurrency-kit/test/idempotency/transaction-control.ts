import { expect } from 'vitest'
import type { ContractRunner } from '../../src/entries/testing.ts'
import { isStoreError } from '../../src/errors.ts'
import { findReplay } from '../../src/idempotency/find-replay.ts'
import { insert, type OpenPlace, type Place } from '../support/transaction-places.ts'

const EVERYWHERE = [
  'COMMIT',
  'commit;',
  'Commit Transaction',
  'END',
  'end transaction',
  'COMMIT; BEGIN',
  ';COMMIT',
  '-- paid\n COMMIT',
  '/* paid */ COMMIT',
  '/**/ /* COMMIT */ -- COMMIT\n COMMIT',
  'ROLLBACK',
  'ROLLBACK TRANSACTION',
  'BEGIN',
]

/** Comments nest on Postgres, and do not on SQLite. */
const CONTROL = {
  SQLite: [...EVERYWHERE, 'BEGIN IMMEDIATE', '/* a /* b */ COMMIT'],
  Postgres: [
    ...EVERYWHERE,
    'COMMIT AND CHAIN',
    'ROLLBACK AND CHAIN',
    'ABORT',
    'START TRANSACTION',
    "PREPARE TRANSACTION 'paid'",
    '/* a /* b */ c */ COMMIT',
    // Several statements in one text, as only Postgres takes them.
    'SELECT 1; COMMIT',
    'SELECT 1; COMMIT; BEGIN',
    "SELECT ';'; COMMIT",
    "SELECT E'\\';'; COMMIT",
    'SELECT $a$; $a$; COMMIT',
    'SELECT 1; /* ; */ -- ;\n END',
  ],
}

/** What looks like it, and leaves the transaction as it is. */
const HARMLESS = {
  SQLite: ['SAVEPOINT mine', 'ROLLBACK TO mine', 'RELEASE mine', "SELECT 'COMMIT'", 'SELECT 1 AS "COMMIT"'],
  Postgres: [
    'SAVEPOINT mine',
    'ROLLBACK WORK TO SAVEPOINT mine',
    'ROLLBACK TO mine; RELEASE mine',
    "SELECT '; COMMIT'",
    'SELECT $$; COMMIT; $$',
    'SELECT 1 AS "; COMMIT"; SELECT 2 /* ; COMMIT */ -- ; COMMIT',
    'DO $$ BEGIN PERFORM 1; END $$',
    'CREATE OR REPLACE FUNCTION one() RETURNS int BEGIN ATOMIC SELECT 1; END',
    'PREPARE mine AS SELECT 1; DEALLOCATE mine',
  ],
}

/** A handler that ends its transaction by itself is refused before anything happens, whichever way it goes. */
export function proveTransactionControl(
  { describe, test }: ContractRunner,
  name: string,
  database: keyof typeof CONTROL,
  open: OpenPlace,
): void {
  describe(`statements that would end the transaction, through ${name}`, () => {
    for (const statement of CONTROL[database]) {
      test(`G9: ${JSON.stringify(statement)} in a handler is refused before anything commits`, async () => {
        const place = await open()
        try {
          expect(await wrongWays(place, statement)).toEqual([])
        } finally {
          await place.close()
        }
      })
    }

    test('G9: savepoints, functions and quoted text are no reason to refuse a statement', async () => {
      const place = await open()
      try {
        const call = place.call('harmless', async (transaction) => {
          await insert(place, transaction, 'harmless')
          for (const statement of HARMLESS[database]) await place.query(transaction, statement)
          return 'paid'
        })
        expect(await call).toBe('paid')
        expect(await place.effects()).toEqual(['harmless'])
      } finally {
        await place.close()
      }
    })

    test('X3: whatever comes before its first word, a statement is judged in linear time', async () => {
      const place = await open()
      const slow: unknown[] = []
      try {
        for (const beginning of BEGINNINGS) {
          const call = place.call(`after ${slow.length} ${beginning.slice(0, 20)}`, async (transaction) => {
            const startedMs = performance.now()
            await place.query(transaction, `${beginning} SELECT 1`).catch(() => {})
            const tookMs = performance.now() - startedMs
            if (tookMs > 5_000) slow.push({ beginning: beginning.slice(0, 20), length: beginning.length, tookMs })
            throw new Error('enough')
          })
          await expect(call).rejects.toThrow('enough')
          // A longer beginning would take longer still, perhaps hours.
          if (slow.length > 0) break
        }
      } finally {
        await place.close()
      }
      expect(slow).toEqual([])
    })
  })
}

/**
 * The first takes a guard that backtracks some seconds, and each further comment doubles them. The others are short, as
 * Postgres itself takes 7 s for 20 000 empty comments.
 */
const BEGINNINGS = [
  '/**/'.repeat(26),
  ...['/**/', '/* a */ ', '-- a\n', ';', '\n ', '/*/ */'].map((piece) => piece.repeat(2_000)),
  '/*'.repeat(2_000),
  '/*'.repeat(2_000) + '*/'.repeat(2_000),
]

async function wrongWays(place: Place, statement: string): Promise<unknown[]> {
  const wrong: unknown[] = []
  for (const [way, send] of Object.entries(place.ways)) {
    const key = `by ${way}`
    let refusal: unknown
    let committed: readonly string[] = []
    const call = place.call(key, async (transaction) => {
      await insert(place, transaction, key)
      refusal = await send(transaction, statement).catch((error) => error)
      committed = await place.effects()
      return 'paid'
    })
    const outcome = await call.catch((error: unknown) => error)
    const seen = {
      effect: (await place.effects()).includes(key),
      record: (await findReplay({ store: place.store, key })).found,
    }
    const resolved = outcome === 'paid'
    const whole = seen.effect === resolved && seen.record === resolved
    if (isStoreError(refusal) && whole && !committed.includes(key)) continue
    wrong.push({ way, refusal: String(refusal), outcome: String(outcome), committed, ...seen })
  }
  return wrong
}
