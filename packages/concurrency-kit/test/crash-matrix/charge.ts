import type { IsolationLevel } from '../../src/sql/isolation-level.ts'
import type { Heard, Moment } from './points.ts'

/** What every charge adds to the balance of an account that nothing else touches. */
export const AMOUNT = 7

/** How many accounts there are, and as many for companions. */
export const ACCOUNTS = 30_000

/** Of leased stores: how long a silent owner counts as alive. */
export const LEASE_MS = 500

/** Longest time for each command of a store. */
export const COMMAND_MS = 250

export interface Order {
  readonly key: string
  readonly account: number
  /** `plain`: the guard alone around a write. `guarded`: `findReplay` first, and an optimistic update within. */
  readonly flow: 'plain' | 'guarded'
}

/** Another charge, whose account is one of the upper half. */
export function companionOf({ key, account, flow }: Order): Order {
  return { key: `${key}:companion`, account: account + ACCOUNTS, flow }
}

export interface Answer {
  readonly account: number
  readonly balance: number
  /** Of the run of the handler that gave it. */
  readonly nonce: string
}

export type Outcome =
  | { readonly status: 'answer'; readonly answer: Answer }
  | { readonly status: 'error'; readonly code: string; readonly message: string }
  | { readonly status: 'died' }

export type Mode = 'rerun' | 'refuse' | 'probe'

/** What an instance gets to charge with. */
export interface Opening {
  readonly url: string
  /** By which its connections are known. */
  readonly name: string
  readonly isolationLevel?: IsolationLevel | undefined
  readonly onAmbiguous?: Mode | undefined
}

/** Has the effect of leased charges, as a payment provider would: outside of every store. */
export interface Provider {
  charge(order: Order): Promise<Answer>
  find(key: string): Promise<Answer | undefined>
}

/** One process that charges, as whoever sends the requests sees it. */
export interface Instance {
  open(opening: Opening): Promise<void>
  charge(order: Order): Promise<Outcome>
  /** What it has sent since it was armed, where only it can know. */
  heard(): Promise<readonly Heard[]>
  /** Lets it kill itself there, where nothing outside of it sees its statements. */
  arm(trap?: { readonly statement: number; readonly moment: Moment }): Promise<void>
  close(): Promise<void>
  /** At once (`SIGKILL`); resolves when it is gone. */
  kill(): Promise<void>
  readonly died: Promise<void>
  /** Lets it stand still where it is (`SIGSTOP`), and go on. */
  freeze(): void
  thaw(): void
}

export async function outcomeOf(answer: Promise<Answer>): Promise<Outcome> {
  try {
    return { status: 'answer', answer: await answer }
  } catch (error) {
    const code: unknown = Reflect.get(error as object, 'code')
    const cause = error instanceof Error && error.cause !== undefined ? `: ${error.cause}` : ''
    return { status: 'error', code: typeof code === 'string' ? code : 'none', message: `${error}${cause}` }
  }
}
