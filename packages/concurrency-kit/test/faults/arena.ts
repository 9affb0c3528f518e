import type { LockStore } from '../../src/index.ts'
import type { FaultyLine } from '../support/faulty-line.ts'

/** One process as the store sees it: a store object of its own, over clients of its own. */
export interface Contestant {
  readonly store: LockStore
  /** Its line to the server, or to each of them. */
  readonly lines: readonly FaultyLine[]
}

export type Command = 'acquire' | 'extend' | 'release'

/** Something that goes wrong; resolves when it is over. */
export interface ServerFault {
  readonly name: string
  /** Whether the store forgets what it acknowledged: then two holders may overlap for a while. */
  readonly forgets: boolean
  strike(): Promise<void>
}

/** A store under test, with two processes that contend, and what can go wrong behind it. */
export interface Arena {
  readonly name: string
  readonly contestants: readonly Contestant[]
  /** A text that is on the wire of that command alone. */
  readonly onTheWire: Readonly<Record<Command, string>>
  readonly serverFaults: readonly ServerFault[]
  close(): Promise<void>
}

export interface ArenaOf {
  readonly name: string
  open(): Promise<Arena>
}
