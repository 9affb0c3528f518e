import type { FaultyLine } from '../support/faulty-line.ts'
import type { Observer } from './observer.ts'
import type { Presence } from './presence.ts'
import type { Register } from './register.ts'

/** What those who contend for a key in one run have in common. */
export interface Stage {
  readonly key: string
  readonly observer: Observer
  readonly register: Register
  /** Of the process that conducts the run. */
  readonly presence: Presence
}

/** One process as the store sees it: a store object of its own over clients of its own, or a real process. */
export interface Contestant {
  /** Its line to the server, or to each of them; none where there is no line to put anything on. */
  readonly lines: readonly FaultyLine[]
  /** Contends from now on, until it is told to stop. */
  join(stage: Stage): Promise<() => Promise<void>>
}

export type Command = 'acquire' | 'extend' | 'release'

/** Something that goes wrong; resolves when it is over. */
export interface ServerFault {
  readonly name: string
  /** Whether the store forgets what it acknowledged: then two holders may overlap for a while. */
  readonly forgets: boolean
  strike(key: string): Promise<void>
}

/** A store under test, with two processes that contend, and what can go wrong behind it. */
export interface Arena {
  readonly contestants: readonly Contestant[]
  /** A text that is on the wire of that command alone. */
  readonly onTheWire: Readonly<Record<Command, string>>
  readonly serverFaults: readonly ServerFault[]
  /** @defaultValue one in the memory of the process that conducts the run */
  readonly register?: (key: string) => Promise<Register>
  close(): Promise<void>
}

export interface ArenaOf {
  readonly name: string
  open(): Promise<Arena>
}
