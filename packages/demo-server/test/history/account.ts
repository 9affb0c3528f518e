import { fillable, type Gap, type OpenCharge } from './gaps.ts'
import type { Violation, ViolationKind } from './violation.ts'

/** A point in time, and the line of the history that says so. */
export interface Bound {
  readonly at: number
  readonly line: number
}

export const NEVER: Bound = { at: Number.POSITIVE_INFINITY, line: 0 }
const ALWAYS: Bound = { at: Number.NEGATIVE_INFINITY, line: 0 }

/** A charge that was answered: done once, between its key's first request and its key's first answer. */
interface DoneCharge {
  readonly key: string
  readonly amount: number
  /** After it. */
  readonly balance: number
  readonly invoked: Bound
  readonly answered: Bound
}

/** All who read one balance, as far as they say when it was there: some time after `invoked` and some time before `answered`. */
export interface Seen {
  invoked: Bound
  answered: Bound
}

export interface AccountHistory {
  readonly user: number
  readonly starting: number
  readonly done: DoneCharge[]
  readonly open: OpenCharge[]
  readonly seen: ReadonlyMap<number, Seen>
  /** At the end, with nobody else there; undefined where the history does not say. */
  readonly final: number | undefined
}

/** A balance that the account had; `by` is what made it, undefined where that is not known. */
interface State {
  readonly balance: number
  readonly by: DoneCharge | undefined
}

/**
 * Whether one user's answers are those of an account that does one thing at a time, in an order that agrees with time.
 *
 * Amounts are positive, so the balances are the order. What is left is to see that each charge begins at the balance
 * where the one before it ended, and that points in time can be found for all of them: each as early as it can be, in
 * one pass.
 */
export function checkAccount(account: AccountHistory): { violations: Violation[]; decided: boolean } {
  const violations: Violation[] = []
  const found = (kind: ViolationKind, message: string, ...lines: number[]) =>
    violations.push({ kind, user: account.user, message, lines })
  const states = statesOf(account, found)
  inOrder(states, account.seen, found)
  const gaps = gapsIn(states, account.seen)
  const filled = fillable(gaps, account.open)
  if (filled === 'no') {
    const sum = gaps.reduce((total, { amount }) => total + amount, 0)
    const whose = account.open.length === 0 ? 'no charge explains' : 'no charges of unknown outcome add up to'
    found('unexplained money', `${whose} ${sum} won in ${gaps.length} steps`)
  }
  const sum = account.done.reduce((total, { amount }) => total + amount, account.starting)
  if (account.final !== undefined && account.open.length === 0 && account.final !== sum) {
    found(
      'wrong sum',
      `the balance in the end is ${account.final}, the start and ${account.done.length} keys are ${sum}`,
    )
  }
  return { violations, decided: filled !== 'undecided' }
}

type Found = (kind: ViolationKind, message: string, ...lines: number[]) => void

/** All balances that the account had, from the lowest on. */
function statesOf({ starting, done, seen }: AccountHistory, found: Found): State[] {
  const charges = done.toSorted((a, b) => a.balance - b.balance)
  const by = new Map<number, DoneCharge>()
  const known = new Set([starting])
  let last: DoneCharge | undefined
  for (const charge of charges) {
    const before = charge.balance - charge.amount
    if (before < (last?.balance ?? starting)) {
      const other = last ? `key ${last.key} ended at ${last.balance}` : `the account began with ${starting}`
      const lines = last ? [last.answered.line, charge.answered.line] : [charge.answered.line]
      found('lost update', `key ${charge.key} went from ${before} to ${charge.balance}, and ${other}`, ...lines)
    }
    by.set(charge.balance, charge)
    known.add(before).add(charge.balance)
    last = charge
  }
  let next = 0
  for (const balance of [...seen.keys()].sort((a, b) => a - b)) {
    while (next < charges.length && (charges[next] as DoneCharge).balance <= balance) next += 1
    const around = charges[next]
    if (known.has(balance)) continue
    if (balance >= starting && !(around && around.balance - around.amount < balance)) known.add(balance)
    else found('no such balance', `${balance} was read`, seen.get(balance)?.answered.line ?? 0)
  }
  return [...known].sort((a, b) => a - b).map((balance) => ({ balance, by: by.get(balance) }))
}

/** Has each state begin as early as it can: after what was seen of those below it. It must not be too late for its own. */
function inOrder(states: readonly State[], seen: AccountHistory['seen'], found: Found): void {
  let earliest = ALWAYS
  for (const [index, state] of states.entries()) {
    const { balance, by } = state
    if (by) earliest = later(earliest, by.invoked)
    const limit = latestOf(state, seen)
    // Nothing is too late for the start: it was there before everything.
    if (index > 0 && earliest.at > limit.at) {
      const [before, after] = [`line ${limit.line} was answered at ${limit.at} µs`, `line ${earliest.line} was sent`]
      const message = `${balance} was there when ${before}, and not yet, or less, when ${after} at ${earliest.at} µs`
      found('order in time', message, limit.line, earliest.line)
    }
    earliest = later(earliest, seen.get(balance)?.invoked ?? ALWAYS)
  }
}

/** The steps between states that no answered charge made. */
function gapsIn(states: readonly State[], seen: AccountHistory['seen']): Gap[] {
  const gaps: Gap[] = []
  let latest = Number.POSITIVE_INFINITY
  for (let index = states.length - 1; index > 0; index -= 1) {
    const state = states[index] as State
    const { balance, by } = state
    const below = (states[index - 1] as State).balance
    latest = Math.min(latest, latestOf(state, seen).at)
    if (by === undefined || by.balance - by.amount > below) gaps.push({ amount: balance - below, latest })
  }
  return gaps
}

/** By when a state had begun. */
function latestOf({ balance, by }: State, seen: AccountHistory['seen']): Bound {
  return earlier(by?.answered ?? NEVER, seen.get(balance)?.answered ?? NEVER)
}

export function earlier(a: Bound, b: Bound): Bound {
  return b.at < a.at ? b : a
}

export function later(a: Bound, b: Bound): Bound {
  return b.at > a.at ? b : a
}
