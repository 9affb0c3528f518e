import { randomUUID } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { expect } from 'vitest'
import { isStoreError } from '../../src/errors.ts'
import { findReplay } from '../../src/idempotency/find-replay.ts'
import { type ContractRunner, proving } from '../../src/testing/runner.ts'
import { insert, type OpenPlace, type Place } from '../support/transaction-places.ts'

/** What a statement left behind does before it is sent: its time of arrival is what matters. */
const HOPS: Readonly<Record<string, (place: Place, transaction: never) => Promise<unknown>>> = {
  statements: (place, transaction) => place.query(transaction, 'SELECT 1'),
  microtasks: async () => {},
  'turns of the event loop': () => setImmediate(),
}

/** The transaction of a handler is closed to it as soon as it has settled, whichever client it goes through. */
export function proveStatementsLeftBehind(runner: ContractRunner, name: string, open: OpenPlace): void {
  const prove = proving(runner, open, (place) => place)

  runner.describe(`statements that a handler leaves behind, through ${name}`, () => {
    prove('G7: one that fails later is refused: the call has both its effect and its record', async (place) => {
      await taken(place)
      const seen = await each(20, async (key) => {
        let left: Promise<unknown> | undefined
        const call = place.call(key, async (transaction) => {
          await insert(place, transaction, key)
          left = place
            .query(transaction, 'SELECT 1')
            .then(() => insert(place, transaction, 'taken'))
            .catch((error) => error)
          return 'paid'
        })
        const { outcome, effect, record } = await resultOf(place, key, call)
        return { outcome, effect, record, refused: isOver(await left) }
      })
      expect(seen).toEqual(seen.map(() => ({ outcome: 'paid', effect: true, record: true, refused: true })))
    })

    prove('G7: Promise.all with an early rejection leaves none to break the call', async (place) => {
      await taken(place)
      const seen = await each(20, async (key) => {
        const noted: Promise<unknown>[] = []
        const call = place.call(key, async (transaction) => {
          const score = () => Promise.reject(new Error('no score'))
          const note = async () => {
            await place.query(transaction, 'SELECT 1')
            await insert(place, transaction, 'taken')
          }
          await insert(place, transaction, key)
          const work = [score(), leftBehind(note())]
          noted.push(...work)
          return Promise.all(work).catch(() => 'no score')
        })
        const result = await resultOf(place, key, call)
        await Promise.allSettled(noted)
        return result
      })
      expect(seen).toEqual(seen.map(() => ({ outcome: 'no score', effect: true, record: true })))
    })

    for (const [kind, hop] of Object.entries(HOPS)) {
      prove(
        `G7: whenever it arrives, a resolved call has all and a rejected one has nothing: after 0 to 9 ${kind}`,
        async (place) => {
          await taken(place)
          const wrong: unknown[] = []
          for (let hops = 0; hops < 10; hops += 1) {
            for (const late of ['taken', `late ${kind} ${hops}`]) {
              const key = `${late} after ${hops}`
              const left: Promise<unknown>[] = []
              const call = place.call(key, async (transaction) => {
                await insert(place, transaction, key)
                const after = async () => {
                  for (let hopped = 0; hopped < hops; hopped += 1) await hop(place, transaction)
                  await insert(place, transaction, late)
                }
                left.push(leftBehind(after()))
                return 'paid'
              })
              const { outcome, effect, record } = await resultOf(place, key, call)
              // Of several runs the last one counts.
              const arrived = (await Promise.allSettled(left)).at(-1)?.status === 'fulfilled'
              const resolved = outcome === 'paid'
              const stands = late !== 'taken' && (await place.effects()).includes(late)
              if (effect !== resolved || record !== resolved || stands !== (resolved && arrived))
                wrong.push({ hops, late, outcome: String(outcome), effect, record, arrived, stands })
            }
          }
          expect(wrong).toEqual([])
        },
      )
    }

    prove(
      'G7: after the handler has settled, each way to send one is refused by an error that says so',
      async (place) => {
        const wrong: unknown[] = []
        for (const [way, send] of Object.entries(place.ways)) {
          const key = randomUUID()
          const sent: Promise<unknown>[] = []
          let transaction = undefined as never
          const call = place.call(key, (given) => {
            transaction = given
            const settled = insert(place, given, key).then(() => 'paid')
            const soon = async () => {
              await settled
              await setImmediate()
              await send(given, `INSERT INTO effects (note) VALUES ('soon by ${way}')`)
            }
            sent.push(leftBehind(soon()))
            return settled
          })
          const result = await resultOf(place, key, call)
          sent.push(send(transaction, `INSERT INTO effects (note) VALUES ('long after by ${way}')`))
          const errors = (await Promise.allSettled(sent)).map((each) => each.status === 'rejected' && each.reason)
          if (!errors.every(isOver)) wrong.push({ way, errors: errors.map(String) })
          if (result.outcome !== 'paid' || !result.effect || !result.record) wrong.push({ way, ...result })
        }
        expect(wrong).toEqual([])
        expect((await place.effects()).filter((note) => note.includes(' by '))).toEqual([])
      },
    )

    prove('G7: a nested transaction that nobody awaited undoes neither effect nor record', async (place) => {
      await taken(place)
      const wrong: unknown[] = []
      for (const [way, begin] of Object.entries(place.nested)) {
        for (let hops = 0; hops < 10; hops += 1) {
          const key = `${way} with ${hops}`
          const left: Promise<unknown>[] = []
          const call = place.call(key, async (transaction) => {
            await insert(place, transaction, key)
            const work = async (inner: never) => {
              for (let hopped = 0; hopped < hops; hopped += 1) await place.query(inner, 'SELECT 1')
              throw new Error('rolls back to its beginning')
            }
            left.push(leftBehind(begin(transaction, work)))
            // It has begun.
            await place.query(transaction, 'SELECT 1')
            return 'paid'
          })
          const { outcome, effect, record } = await resultOf(place, key, call)
          await Promise.allSettled(left)
          const resolved = outcome === 'paid'
          if (effect !== resolved || record !== resolved)
            wrong.push({ way, hops, outcome: String(outcome), effect, record })
        }
      }
      expect(wrong).toEqual([])
    })

    prove('G7: a handler that throws leaves none that still does something', async (place) => {
      const wrong: unknown[] = []
      for (let hops = 0; hops < 10; hops += 1) {
        const key = `throws with ${hops}`
        const mine = new Error('declined')
        const left: Promise<unknown>[] = []
        const call = place.call(key, async (transaction) => {
          const after = async () => {
            for (let hopped = 0; hopped < hops; hopped += 1) await place.query(transaction, 'SELECT 1')
            await insert(place, transaction, `left by ${key}`)
          }
          left.push(leftBehind(after()))
          await insert(place, transaction, key)
          throw mine
        })
        const { outcome, effect, record } = await resultOf(place, key, call)
        await Promise.allSettled(left)
        if (outcome !== mine || effect || record) wrong.push({ hops, outcome: String(outcome), effect, record })
      }
      expect(wrong).toEqual([])
      expect(await place.effects()).toEqual([])
    })
  })
}

/** A note that every further insert of it violates. */
async function taken(place: Place): Promise<void> {
  await place.call(`taken ${randomUUID()}`, (transaction) => insert(place, transaction, 'taken').then(() => 'taken'))
}

async function each<Seen>(count: number, run: (key: string) => Promise<Seen>): Promise<Seen[]> {
  const seen: Seen[] = []
  for (let number = 0; number < count; number += 1) seen.push(await run(`run ${number}`))
  return seen
}

/** Nobody waits for it yet. */
function leftBehind<Result>(work: Promise<Result>): Promise<Result> {
  work.catch(() => {})
  return work
}

async function resultOf(place: Place, key: string, call: Promise<unknown>) {
  const outcome = await call.catch((error: unknown) => error)
  const effect = (await place.effects()).includes(key)
  const record = (await findReplay({ store: place.store, key })).found
  return { outcome, effect, record }
}

function isOver(error: unknown): boolean {
  if (isStoreError(error)) return /\b(over|settled)\b/.test(error.message)
  // Knex' own word, once it knows.
  return error instanceof Error && error.message.startsWith('Transaction query already complete')
}
