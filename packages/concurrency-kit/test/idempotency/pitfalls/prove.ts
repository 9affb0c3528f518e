import { randomUUID } from 'node:crypto'
import type { ContractRunner } from '../../../src/entries/testing.ts'
import type { LeasedIdempotencyStore } from '../../../src/idempotency/idempotency-store.ts'
import { withIdempotency } from '../../../src/idempotency/with-idempotency.ts'
import type { Environment } from '../../../src/time/clock.ts'
import { asAnotherProcess } from '../../support/processes.ts'
import { claims } from './claims.ts'
import { limits } from './limits.ts'
import type { Call, Opened, Process, RecordPitfall, RecordStoreName, Stage, Work } from './pitfall.ts'
import { records } from './records.ts'
import { runs } from './runs.ts'

export const recordPitfalls: readonly RecordPitfall[] = [...runs, ...claims, ...records, ...limits]

/** What a store is opened with, and its effects are seen by. */
export interface Backend {
  open(how: { readonly environment?: Environment; readonly port?: number }): Promise<Opened>
  /** Of transactional stores: how many committed notes begin so. */
  count?(prefix: string): Promise<number>
  /** Of its server. */
  readonly port?: number
}

/** Every pitfall that can happen on this store, as a test. */
export function proveRecordPitfalls(
  { describe, test }: ContractRunner,
  name: RecordStoreName,
  backend: () => Backend,
): void {
  describe(`pitfalls on ${name}`, () => {
    for (const { number, title, not, prove } of recordPitfalls) {
      if (not?.[name] !== undefined) continue
      test(`${number}: ${title}`, async () => {
        const closing: Opened[] = []
        try {
          await prove(await stageOf(backend(), closing))
        } finally {
          for (const opened of closing) await opened.close()
        }
      })
    }
  })
}

async function stageOf(backend: Backend, closing: Opened[]): Promise<Stage> {
  const key = `pitfall:${randomUUID()}`
  let elsewhere = 0
  const effect = async () => {
    elsewhere += 1
  }
  const open: Stage['open'] = async (how = {}) => {
    const opened = await backend.open(how)
    closing.push(opened)
    return opened.store.kind === 'leased'
      ? leased({ ...opened, store: opened.store }, key, effect)
      : transactional(opened, key)
  }
  const [one, two] = [await open(), await open()]
  return {
    key,
    one,
    two,
    open,
    effects: async () => (await backend.count?.(key)) ?? elsewhere,
    leased: one.store.kind === 'leased',
    port: backend.port ?? 0,
  }
}

function leased(
  { store: behind, interrupted }: Opened & { readonly store: LeasedIdempotencyStore },
  key: string,
  effect: Work['effect'],
): Process {
  let spoilt = false
  const unlessSpoilt =
    <Request>(verb: (request: Request) => Promise<boolean>) =>
    (request: Request) =>
      spoilt ? Promise.reject(new Error('connection reset')) : verb(request)
  const store = asAnotherProcess(behind, {
    renew: unlessSpoilt((request) => behind.renew(request)),
    complete: unlessSpoilt((request) => behind.complete(request)),
  })
  const spoil = async () => {
    spoilt = true
  }
  const run = async (call: Call, handler: (work: Work) => unknown) =>
    withIdempotency<unknown>({ key, onAmbiguous: 'rerun', ...call, store }, () => handler({ effect, spoil }))
  return { store, interrupted, run }
}

function transactional({ store, sql }: Opened, key: string): Process {
  if (store.kind === 'leased' || sql === undefined) throw new TypeError('no transactions')
  const run = async (
    { leaseMs: _, onAmbiguous: __, hadNoEffect: ___, ...call }: Call,
    handler: (work: Work) => unknown,
  ) => {
    const effect = (transaction: never) =>
      sql(transaction, `INSERT INTO effects (note) VALUES ('${key}:${randomUUID()}')`)
    const spoil = (transaction: never) =>
      sql(transaction, `DELETE FROM idempotency_records WHERE idempotency_key = '${key}'`)
    return withIdempotency<never, unknown>({ key, ...call, store }, ({ transaction }) =>
      handler({
        effect: async () => void (await effect(transaction)),
        spoil: async () => void (await spoil(transaction)),
      }),
    )
  }
  return { store, interrupted: undefined, run }
}
