/** One process of the campaign: writers that change two rows under a key. Told what to do, and tells, by IPC. */
import { once } from 'node:events'
import { isIdempotencyInProgressError, isStoreError, isTransactionRetriesError } from '../../src/errors.ts'
import { events } from '../../src/events.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { optimisticUpdate } from '../../src/optimistic/optimistic-update.ts'
import type { IsolationLevel } from '../../src/sql/isolation-level.ts'
import { AttemptCounts } from './attempt-counts.ts'
import { OwnErrors } from './own-errors.ts'
import { type Account, type StoreName, stores } from './stores.ts'

/** Of each writer, however long they take. */
const LEAST_CALLS = 6
const MOST_ASKED = 20

export interface Job {
  readonly storeName: StoreName
  readonly url: string
  readonly level: IsolationLevel
  readonly process: number
  readonly writers: number
  readonly accounts: number
  readonly ms: number
}

export interface Report {
  /** How long each call took until it was answered for good, in ms. */
  readonly callsMs: readonly number[]
  readonly acknowledged: readonly string[]
  /** Keys of calls that were to fail by an error of the caller's own. */
  readonly declined: readonly string[]
  readonly thrown: number
  readonly arrived: number
  readonly counts: Readonly<Record<string, number>>
  /** What must not be: another answer than the call's own, an error that nobody threw. */
  readonly wrong: readonly string[]
}

const [job] = (await once(process, 'message')) as [Job]
const { records: store, accounts, addEffect, close } = stores[job.storeName](job.url, job.level)
const counts = new AttemptCounts(events)
const report = {
  callsMs: [] as number[],
  acknowledged: [] as string[],
  declined: [] as string[],
  wrong: [] as string[],
}
let thrown = 0
let arrived = 0
process.send?.('ready')
await once(process, 'message')

const endMs = performance.now() + job.ms
await Promise.all(Array.from({ length: job.writers }, (_, writer) => write(writer)))
await close()
const sent: Report = { ...report, thrown, arrived, counts: counts.byCause }
process.send?.(sent, () => process.disconnect())

async function write(writer: number): Promise<void> {
  for (let n = 0; n < LEAST_CALLS || performance.now() < endMs; n += 1) {
    // Every eighth key is used by the other process too, at about the same time.
    const key = n % 8 === 0 ? `shared ${writer} ${n}` : `${job.process} ${writer} ${n}`
    const own = n % 9 === 4 ? new OwnErrors(key, n) : undefined
    const startMs = performance.now()
    for (let asked = 1; !(await answered(key, rowsOf(n), own)); asked += 1) {
      if (asked < MOST_ASKED) continue
      report.wrong.push(`${key}: no answer, asked ${MOST_ASKED} times`)
      break
    }
    report.callsMs.push(performance.now() - startMs)
    thrown += own?.thrown ?? 0
  }
}

/** Two rows, in one order; every fourth time in the other, so that calls wait for each other's. */
function rowsOf(n: number): readonly number[] {
  const first = Math.floor(Math.random() * job.accounts)
  const second = (first + 1 + Math.floor(Math.random() * (job.accounts - 1))) % job.accounts
  const [low, high] = [Math.min(first, second), Math.max(first, second)]
  return n % 4 === 1 ? [high, low] : [low, high]
}

/** False where the call is to be made again, as a client would. */
async function answered(key: string, rows: readonly number[], own: OwnErrors | undefined): Promise<boolean> {
  try {
    const answer = await withIdempotency({ store, key }, async ({ transaction }) => {
      await addEffect(transaction, key)
      const within = accounts.within(transaction)
      for (const [index, id] of rows.entries()) {
        await optimisticUpdate({ store: within, id }, (account: Account) => {
          if (index === 1 && rows[0] === 0) own?.throw()
          return { ...account, balance: account.balance + 1 }
        })
      }
      own?.throw()
      return { key }
    })
    if (own !== undefined) report.wrong.push(`${key}: its own error was swallowed`)
    else if (answer.key !== key) report.wrong.push(`${key}: the answer of ${answer.key}`)
    report.acknowledged.push(key)
    return true
  } catch (error) {
    if (own?.isLast(error)) {
      arrived += 1
      report.declined.push(key)
      return true
    }
    return again(key, error)
  }
}

/** Errors of the kit that say that nothing happened, and that repeating may help. */
function again(key: string, error: unknown): boolean {
  const repeats =
    isTransactionRetriesError(error) || isIdempotencyInProgressError(error) || (isStoreError(error) && error.transient)
  if (!repeats) report.wrong.push(`${key}: ${error}`)
  else counts.add('asked again')
  return !repeats
}
