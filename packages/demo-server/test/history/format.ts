/** The lines of a history, as docs/history.md has them; one JSON value each. */

export const FORMAT_VERSION = 1

/** What becomes of a request: done and answered; surely not done by it; or done or not, perhaps later. */
export type Outcome = 'ok' | 'fail' | 'unknown'

export interface HeaderLine {
  readonly kind: 'history'
  readonly version: typeof FORMAT_VERSION
  readonly seed: number
  readonly instances: number
  readonly processes: number
  /** By user, before the first operation. */
  readonly balances: Readonly<Record<string, number>>
}

interface OperationLine {
  /** Who asked: does one thing at a time. */
  readonly process: number
  /** Whom. */
  readonly instance: number
  readonly user: number
  /** In µs of the clients' one monotonic clock, as `answered`: when it was sent, and when it was answered or given up. */
  readonly invoked: number
  readonly answered: number
  readonly outcome: Outcome
  /** Of the HTTP answer; missing where none came. */
  readonly status?: number
}

export interface ChargeLine extends OperationLine {
  readonly kind: 'charge'
  readonly key: string
  readonly amount: number
  /** The body of an `ok`, to the byte. */
  readonly answer?: string
}

export interface BalanceLine extends OperationLine {
  readonly kind: 'balance'
  /** Of an `ok`. */
  readonly balance?: number
}

interface FaultLine {
  readonly kind: 'fault'
  readonly fault: string
  /** Missing where all of them were hit. */
  readonly instance?: number
  readonly began: number
  readonly ended: number
}

export interface EndLine {
  readonly kind: 'end'
  /** When the balances were read, with nobody else there. */
  readonly invoked: number
  readonly answered: number
  readonly balances: Readonly<Record<string, number>>
}

export type HistoryLine = HeaderLine | ChargeLine | BalanceLine | FaultLine | EndLine
