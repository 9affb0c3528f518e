import { setTimeout } from 'node:timers/promises'
import { expect } from 'vitest'
import { findReplay } from '../../src/idempotency/find-replay.ts'
import type { LeasedIdempotencyStore, TransactionalIdempotencyStore } from '../../src/idempotency/idempotency-store.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { optimisticUpdate } from '../../src/optimistic/optimistic-update.ts'
import type { TransactableVersionedStore } from '../../src/optimistic/versioned-store.ts'
import { type ContractRunner, proving } from '../../src/testing/runner.ts'
import type { Account } from '../support/postgres-clients.ts'

/** Stores whose pool has one connection, which somebody else can take. */
export interface Crowded {
  readonly store: TransactionalIdempotencyStore<unknown>
  readonly accounts: TransactableVersionedStore<number, Account, number, never>
  readonly leased?: LeasedIdempotencyStore
  /** Takes the only connection; the function gives it back. */
  occupy(): Promise<() => Promise<unknown>>
  close(): Promise<void>
}

type Call = (crowded: Crowded, signal: AbortSignal, ran: () => void) => Promise<unknown> | undefined

const ABORTABLE: Readonly<Record<string, Call>> = {
  withIdempotency: ({ store }, signal, ran) => withIdempotency({ store, key: 'a', signal }, ran),
  findReplay: ({ store }, signal) => findReplay({ store, key: 'a', signal }),
  optimisticUpdate: ({ accounts }, signal, ran) =>
    optimisticUpdate({ store: accounts, id: 1, signal }, (account) => {
      ran()
      return { ...account, balance: 1_000 }
    }),
  'an update under the row’s lock': ({ accounts }, signal, ran) =>
    accounts.updateLocked?.({ id: 1, signal }, ({ value }) => {
      ran()
      return { value: { ...value, balance: 1_000 } }
    }),
}

const LEASED: Readonly<Record<string, Call>> = {
  'withIdempotency on leases': ({ leased: store }, signal, ran) =>
    store && withIdempotency({ store, key: 'a', signal, onAmbiguous: 'refuse' }, ran),
  'findReplay on leases': ({ leased: store }, signal) => store && findReplay({ store, key: 'a', signal }),
}

/** Of the stores, in ms. */
export const COMMAND_MS = 100

/** Nobody waits for a connection longer than the caller would, and what was given up does not happen later. */
export function proveWaitsForConnections(
  runner: ContractRunner,
  name: string,
  open: () => Promise<Crowded>,
  more: { readonly leases: boolean; readonly waitMsBounds: boolean },
): void {
  const prove = proving(runner, open, (crowded) => crowded)
  /** Runs the call while the connection is taken, and again what is in line behind it. */
  async function crowdedOut(crowded: Crowded, call: () => Promise<unknown> | undefined) {
    const giveBack = await crowded.occupy()
    const startedMs = performance.now()
    const limit = new AbortController()
    // A call that still waits by then gets the connection.
    const enough = setTimeout(2_500, undefined, { signal: limit.signal }).then(giveBack, () => {})
    const [settled] = await Promise.allSettled([call()])
    const tookMs = performance.now() - startedMs
    limit.abort()
    await enough
    if (tookMs < 2_500) await giveBack()
    // Whatever was left in line comes before this.
    expect(await withIdempotency({ store: crowded.store, key: 'next' }, () => 'next')).toBe('next')
    expect(await crowded.accounts.read({ id: 1, lock: false })).toMatchObject({ value: { balance: 0 } })
    return { settled, tookMs }
  }

  runner.describe(`waiting for the only connection of ${name}`, () => {
    for (const [what, call] of Object.entries({ ...ABORTABLE, ...(more.leases && LEASED) })) {
      prove(`G12: ${what}: its signal ends the wait, with its reason, and nothing happens later`, async (crowded) => {
        let runs = 0
        const controller = new AbortController()
        const reason = new Error('the client has gone')
        const aborted = setTimeout(100).then(() => controller.abort(reason))
        const ran = () => {
          runs += 1
        }
        const { settled, tookMs } = await crowdedOut(crowded, () => call(crowded, controller.signal, ran))
        await aborted
        expect([settled, runs]).toEqual([{ status: 'rejected', reason }, 0])
        expect(tookMs).toBeLessThan(1_000)
      })
    }

    if (more.waitMsBounds) {
      for (const waitMs of [0, 300]) {
        prove(
          `G12: withIdempotency: waitMs of ${waitMs}, or commandMs if it is longer, bounds the wait: a transient StoreError, and nothing happens later`,
          async (crowded) => {
            const { settled, tookMs } = await crowdedOut(crowded, () =>
              withIdempotency({ store: crowded.store, key: 'a', waitMs }, () => expect.unreachable()),
            )
            expect(settled).toMatchObject({ status: 'rejected', reason: { code: 'STORE_ERROR', transient: true } })
            expect(saying(settled)).toMatch(/no connection was free/)
            expect(tookMs).toBeGreaterThanOrEqual(Math.max(waitMs, COMMAND_MS) - 1)
            expect(tookMs).toBeLessThan(waitMs + 900)
          },
        )
      }
    }

    prove(
      'G12: 100 callers that give up leave no line behind, and the connection is there for the next',
      async (crowded) => {
        const { settled, tookMs } = await crowdedOut(crowded, () =>
          Promise.allSettled(
            Array.from({ length: 100 }, (_, number) => {
              const signal = AbortSignal.timeout(50 + (number % 50))
              return withIdempotency({ store: crowded.store, key: `key ${number}`, signal }, () => expect.unreachable())
            }),
          ),
        )
        const outcomes = settled.status === 'fulfilled' ? (settled.value as PromiseSettledResult<unknown>[]) : []
        expect(outcomes.map(({ status }) => status)).toEqual(Array(100).fill('rejected'))
        expect(tookMs).toBeLessThan(1_000)
      },
    )
  })
}

/** What the error and its causes say. */
function saying(settled: PromiseSettledResult<unknown>): string {
  const messages: string[] = []
  for (
    let error = settled.status === 'rejected' ? settled.reason : undefined;
    error instanceof Error;
    error = error.cause
  )
    messages.push(error.message)
  return messages.join('; ')
}
