import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import { findReplay } from '../../src/idempotency/find-replay.ts'
import { type ContractRunner, proving } from '../../src/testing/runner.ts'
import { insert, type OpenPlace, type Place } from '../support/transaction-places.ts'

class Declined extends Error {}

const finalErrors = {
  encode: (error: unknown) => (error instanceof Declined ? error.message : undefined),
  decode: (text: string) => new Declined(text),
}

/**
 * What a handler may do with savepoints before it is declined; `+` is an effect. The name is one that an outsider finds in the
 * kit's source or in a log of statements.
 */
const SAVEPOINTS = [
  ['+', 'SAVEPOINT before_handler'],
  ['+', 'SAVEPOINT before_handler', '+'],
  ['SAVEPOINT before_handler', '+', 'SAVEPOINT before_handler', '+'],
  ['+', 'SAVEPOINT before_handler', '+', 'ROLLBACK TO SAVEPOINT before_handler', '+'],
  ['+', 'SAVEPOINT before_handler', '+', 'RELEASE SAVEPOINT before_handler', '+'],
  ['RELEASE SAVEPOINT before_handler', '+', 'SAVEPOINT before_handler', '+'],
  ['+', 'ROLLBACK TO SAVEPOINT before_handler', '+'],
]

/** With `finalErrors` an error is stored instead of the effects, never beside them, whichever client they go through. */
export function proveErrorsWithoutEffects(runner: ContractRunner, name: string, open: OpenPlace): void {
  const prove = proving(runner, open, (place) => place)

  runner.describe(`errors that are stored, through ${name}`, () => {
    prove('G8: statements still in flight, or sent later, do not commit with the error', async (place) => {
      const wrong: unknown[] = []
      for (let hops = 0; hops < 20; hops += 1) {
        const key = `declined beside ${hops}`
        const left: Promise<unknown>[] = []
        const call = place.call(
          key,
          async (transaction) => {
            const check = () => Promise.reject(new Declined('no funds'))
            const reserve = async () => {
              for (let hopped = 0; hopped < hops % 10; hopped += 1) await place.query(transaction, 'SELECT 1')
              await insert(place, transaction, key)
            }
            if (hops >= 10) await insert(place, transaction, `before ${key}`)
            const reserving = reserve()
            left.push(reserving)
            return Promise.all([check(), reserving])
          },
          { finalErrors },
        )
        const error = await call.catch((thrown: unknown) => thrown)
        await Promise.allSettled(left)
        const seen = {
          hops,
          error: String(error),
          effects: await place.effects(),
          stored: await storedError(place, key),
        }
        if (!(error instanceof Declined) || seen.effects.length > 0 || seen.stored !== 'no funds') wrong.push(seen)
        await place.clear()
      }
      expect(wrong).toEqual([])
    })

    for (const statements of SAVEPOINTS) {
      prove(
        `G8: a handler’s own savepoint of the kit’s name keeps no effect beside the error: ${statements.join(', ')}`,
        async (place) => {
          const call = place.call(
            'declined',
            async (transaction) => {
              for (const statement of statements) {
                if (statement === '+') await insert(place, transaction, randomUUID())
                else await place.query(transaction, statement)
              }
              throw new Declined('no funds')
            },
            { finalErrors },
          )
          const error = await call.catch((thrown: unknown) => thrown)
          // A statement on a savepoint that is not the handler’s own may fail: then nothing is stored.
          const stored = error instanceof Declined ? 'no funds' : undefined
          expect({ effects: await place.effects(), stored: await storedError(place, 'declined') }).toEqual({
            effects: [],
            stored,
          })
        },
      )
    }

    prove(
      'G8: a handler that uses the name for itself, and succeeds, has exactly the effects that it kept',
      async (place) => {
        const call = place.call(
          'paid',
          async (transaction) => {
            await place.query(transaction, 'SAVEPOINT before_handler')
            await insert(place, transaction, 'undone')
            await place.query(transaction, 'ROLLBACK TO SAVEPOINT before_handler')
            await insert(place, transaction, 'kept')
            await place.query(transaction, 'RELEASE SAVEPOINT before_handler')
            return 'paid'
          },
          { finalErrors },
        )
        expect(await call).toBe('paid')
        expect(await place.effects()).toEqual(['kept'])
      },
    )

    prove('G8: a nested transaction that nobody awaited does not bring effects back', async (place) => {
      const wrong: unknown[] = []
      for (const [way, begin] of Object.entries(place.nested)) {
        for (let hops = 0; hops < 10; hops += 1) {
          const key = `${way} with ${hops}`
          const left: Promise<unknown>[] = []
          const call = place.call(
            key,
            async (transaction) => {
              const work = async (inner: never) => {
                for (let hopped = 0; hopped < hops; hopped += 1) await place.query(inner, 'SELECT 1')
                await insert(place, inner, `inner ${key}`)
                throw new Error('rolls back to its beginning')
              }
              await insert(place, transaction, `outer ${key}`)
              const nested = begin(transaction, work)
              nested.catch(() => {})
              left.push(nested)
              await place.query(transaction, 'SELECT 1')
              throw new Declined('no funds')
            },
            { finalErrors },
          )
          const error = await call.catch((thrown: unknown) => thrown)
          await Promise.allSettled(left)
          const stored = await storedError(place, key)
          const effects = await place.effects()
          if (effects.length > 0 || stored !== (error instanceof Declined ? 'no funds' : undefined))
            wrong.push({ way, hops, error: String(error), effects, stored })
          await place.clear()
        }
      }
      expect(wrong).toEqual([])
    })
  })
}

/** The message of the error that is stored under `key`; undefined where nothing is. */
async function storedError(place: Place, key: string): Promise<string | undefined> {
  try {
    const replay = await findReplay({ store: place.store, key, finalErrors })
    return replay.found ? `not an error, but ${String(replay.result)}` : undefined
  } catch (error) {
    return error instanceof Declined ? error.message : String(error)
  }
}
