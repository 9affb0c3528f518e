import type { LockStore } from '../../../src/index.ts'
import type { FaultyLine } from '../../support/faulty-line.ts'
import type { Contestant } from '../arena.ts'
import { runCallers } from '../callers.ts'

const PROCESSES = 2

/** Two of what `open` makes, one after the other. */
export async function twoOf<Opened>(open: () => Promise<Opened>): Promise<Opened[]> {
  const opened: Opened[] = []
  while (opened.length < PROCESSES) opened.push(await open())
  return opened
}

/** A process as the store sees it, in this one. */
export function contestant(store: LockStore, lines: readonly FaultyLine[]): Contestant {
  return {
    lines,
    join: async ({ key, observer, register, presence }) =>
      runCallers({ store, key, register, presence, report: observer.hear }),
  }
}
