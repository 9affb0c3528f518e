import { randomUUID } from 'node:crypto'
import type { ContractRunner } from '../../../src/entries/testing.ts'
import type { LockStore } from '../../../src/lock/lock-store.ts'
import type { Environment } from '../../../src/time/clock.ts'
import { Closing } from '../../faults/arenas/closing.ts'
import { LockStoreOnFaultyLine } from '../../support/faulty-lock-store.ts'
import { answers } from './answers.ts'
import { crowds } from './crowds.ts'
import { limits } from './limits.ts'
import { losses } from './losses.ts'
import type { Pitfall, Stage, StoreName } from './pitfall.ts'

export const pitfalls: readonly Pitfall[] = [...answers, ...losses, ...crowds, ...limits]

const COMMAND_MS = 500

/** A store on clients of its own, as another process has it. */
export interface Opened {
  readonly store: LockStore
  /** Ends the clients, after the store. */
  close(): Promise<unknown>
}

/** Every pitfall that can happen on this store, as a test. */
export function provePitfalls(
  { describe, test }: ContractRunner,
  name: StoreName,
  open: (environment: Environment | undefined) => Promise<Opened>,
): void {
  describe(`pitfalls on ${name}`, () => {
    for (const { number, title, not, prove } of pitfalls) {
      if (not?.[name] !== undefined) continue
      test(`${number}: ${title}`, async () => {
        const closing = new Closing()
        try {
          await prove(await stageOf(name, open, closing))
        } finally {
          await closing.run()
        }
      })
    }
  })
}

async function stageOf(name: StoreName, open: Parameters<typeof provePitfalls>[2], closing: Closing): Promise<Stage> {
  const prefix = `pitfall:${randomUUID()}`
  const openStore = async (environment?: Environment) => {
    const opened = await open(environment)
    closing.add(opened.store, (store) => store.close().then(opened.close))
    return opened.store
  }
  const openFaulty = async (environment?: Environment) => {
    const line = new LockStoreOnFaultyLine(await openStore(environment), {
      commandMs: COMMAND_MS,
      ...(environment && { environment }),
    })
    return closing.add(line, (store) => store.close())
  }
  return {
    key: prefix,
    keys: (count) => Array.from({ length: count }, (_, index) => `${prefix}:${index}`),
    one: await openFaulty(),
    two: await openStore(),
    expires: name !== 'pg advisory',
    open: openStore,
    openFaulty,
  }
}
