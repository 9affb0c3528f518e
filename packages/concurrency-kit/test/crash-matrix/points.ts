/** Where around a statement: not sent yet, sent and unanswered, answered without the answer delivered, delivered. */
export const MOMENTS = ['before', 'sent', 'done', 'after'] as const
export type Moment = (typeof MOMENTS)[number]

/** What goes over the line: to a store, or to the provider that has the effect. */
export type Place = 'store' | 'provider'

export interface Heard {
  readonly place: Place
  readonly text: string
}

/** The way of one statement, as far as a fault can do something to it. */
export interface Crossing {
  cut(moment: Moment): void
  /** Nothing more goes over it, and it stays up. */
  swallow(): void
  /** Ends the server's side; whether there was one. */
  terminate(moment: Moment): Promise<boolean>
}

/** The way of something that is no connection: all that can happen to it is that it is cut. */
export class Cuttable implements Crossing {
  isCut = false

  cut(): void {
    this.isCut = true
  }

  swallow(): void {}

  async terminate(): Promise<boolean> {
    return false
  }
}

export interface Trap {
  /** Which statement, from 0. */
  readonly statement: number
  readonly moment: Moment
  /** Beside others another statement may have come in its place. */
  fits(heard: Heard): boolean
  act(crossing: Crossing): Promise<void>
}

/** The statements of one process in the order in which they came by, and what lies in wait for one of them. */
export class Points {
  heard: Heard[] = []
  /** COMMITs that were sent and whose answer was not delivered. */
  readonly #commits = new Set<number>()
  #trap: Trap | undefined
  #listeners: { readonly after: number; readonly tell: () => void }[] = []

  /** Counts from 0 again. */
  arm(trap?: Trap): void {
    this.heard = []
    this.#listeners = []
    this.#commits.clear()
    this.#trap = trap
  }

  /** Resolves when so many statements have come by. */
  reached(after: number): Promise<void> {
    return new Promise((tell) => {
      if (this.heard.length >= after) tell()
      else this.#listeners.push({ after, tell })
    })
  }

  get commitUnanswered(): boolean {
    return this.#commits.size > 0
  }

  next(text: string, place: Place = 'store'): number {
    const { length } = this.heard
    this.heard.push({ place, text })
    for (const { after, tell } of this.#listeners) if (after <= length + 1) tell()
    return length
  }

  async at(statement: number, moment: Moment, crossing: Crossing): Promise<void> {
    const heard = this.heard[statement]
    if (heard === undefined) return
    if (isCommit(heard.text)) {
      if (moment === 'sent') this.#commits.add(statement)
      if (moment === 'after') this.#commits.delete(statement)
    }
    const trap = this.#trap
    if (trap === undefined || trap.statement !== statement || trap.moment !== moment || !trap.fits(heard)) return
    this.#trap = undefined
    await trap.act(crossing)
  }
}

export function isCommit(text: string): boolean {
  return /^commit/i.test(text)
}
