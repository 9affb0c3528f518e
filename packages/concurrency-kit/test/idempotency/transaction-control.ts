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
export const CONTROL = {
  SQLite: [...EVERYWHERE, 'BEGIN IMMEDIATE', '/* a /* b */ COMMIT'],
  Postgres: [
    ...EVERYWHERE,
    'COMMIT AND CHAIN',
    'ROLLBACK AND CHAIN',
    'ABORT',
    'START TRANSACTION',
    "PREPARE TRANSACTION 'paid'",
    '/* a /* b */ c */ COMMIT',
  ],
}

/** A handler that ends its transaction by itself is refused before anything happens, whichever way it goes. */
export function proveTransactionControl(
  { describe, test }: ContractRunner,
  name: string,
  statements: readonly string[],
  open: OpenPlace,
): void {
  describe(`statements that would end the transaction, through ${name}`, () => {
    for (const statement of statements) {
      test(`G9: ${JSON.stringify(statement)} in a handler is refused before anything commits`, async () => {
        const place = await open()
        try {
          expect(await wrongWays(place, statement)).toEqual([])
        } finally {
          await place.close()
        }
      })
    }
  })
}

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
