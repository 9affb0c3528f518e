import { type AccountHistory, type Bound, checkAccount, earlier, later, NEVER, type Seen } from './account.ts'
import type { BalanceLine, ChargeLine, EndLine, HeaderLine, HistoryLine } from './format.ts'
import type { OpenCharge } from './gaps.ts'
import type { Violation } from './violation.ts'

export interface Verdict {
  /** Empty if each key was done once, and each user's answers are linearizable. */
  readonly violations: readonly Violation[]
  /** Users with so many charges of unknown outcome that the search for those that were done was given up. */
  readonly undecided: readonly number[]
  /** Keys that were answered, and those that never were. */
  readonly keys: number
  readonly open: number
}

/** A key with one payload, as those who sent it know it. */
interface KeyUse {
  readonly key: string
  readonly user: number
  readonly amount: number
  invoked: Bound
  answered: Bound
  /** Of the first `ok`. */
  answer: string | undefined
}

/** Takes a history line by line, and judges it: see docs/history.md. Pure; it keeps a few numbers a key and balance. */
export class HistoryChecker {
  readonly #violations: Violation[] = []
  /** One use but where a key was sent with another payload, too. */
  readonly #keys = new Map<string, KeyUse[]>()
  readonly #seen = new Map<number, Map<number, Seen>>()
  #header: HeaderLine | undefined
  #end: EndLine | undefined
  #number = 0

  take(line: HistoryLine): void {
    this.#number += 1
    if (line.kind === 'history') this.#header = line
    else if (this.#header === undefined) throw new Error('a history begins with its header')
    else if (line.kind === 'charge') this.#takeCharge(line)
    else if (line.kind === 'balance') this.#takeBalance(line)
    else if (line.kind === 'end') {
      this.#end = line
      for (const [user, balance] of Object.entries(line.balances)) this.#takeSeen(Number(user), balance, line)
    }
  }

  finish(): Verdict {
    const undecided: number[] = []
    const accounts = this.#accounts()
    for (const account of accounts) {
      const { violations, decided } = checkAccount(account)
      for (const violation of violations) this.#violations.push(violation)
      if (!decided) undecided.push(account.user)
    }
    const open = accounts.reduce((sum, account) => sum + new Set(account.open.map(({ key }) => key)).size, 0)
    const keys = accounts.reduce((sum, { done }) => sum + done.length, 0)
    return { violations: this.#violations, undecided, keys, open }
  }

  /** A request that surely did nothing says nothing of its key: that it tells the truth is seen by the rest. */
  #takeCharge({ key, user, amount, invoked, answered, outcome, answer }: ChargeLine): void {
    if (outcome === 'fail') return
    const uses = this.#keys.get(key) ?? []
    let use = uses.find((each) => each.user === user && each.amount === amount)
    if (use === undefined) {
      use = { key, user, amount, invoked: this.#bound(invoked), answered: NEVER, answer: undefined }
      uses.push(use)
      this.#keys.set(key, uses)
    }
    use.invoked = earlier(use.invoked, this.#bound(invoked))
    if (outcome !== 'ok' || answer === undefined) return
    const other = uses.find((each) => each.answer !== undefined && each.answer !== answer)
    if (other) this.#found('two answers', user, `key ${key}: ${other.answer} and ${answer}`, other.answered.line)
    else if (!answersCharge(answer, user, amount)) this.#found('wrong answer', user, `key ${key}: ${answer}`)
    use.answer ??= answer
    use.answered = earlier(use.answered, this.#bound(answered))
  }

  #takeBalance({ user, invoked, answered, outcome, balance }: BalanceLine): void {
    if (outcome !== 'ok') return
    if (Number.isSafeInteger(balance)) this.#takeSeen(user, balance as number, { invoked, answered })
    else this.#found('wrong answer', user, `balance ${balance}`)
  }

  #takeSeen(user: number, balance: number, { invoked, answered }: Pick<EndLine, 'invoked' | 'answered'>): void {
    const balances = this.#seen.get(user) ?? new Map<number, Seen>()
    this.#seen.set(user, balances)
    const from = this.#bound(invoked)
    const until = this.#bound(answered)
    const seen = balances.get(balance)
    if (seen === undefined) balances.set(balance, { invoked: from, answered: until })
    else {
      seen.invoked = later(seen.invoked, from)
      seen.answered = earlier(seen.answered, until)
    }
  }

  #accounts(): AccountHistory[] {
    const accounts = new Map<number, AccountHistory>()
    const of = (user: number) => {
      const account = accounts.get(user) ?? {
        user,
        starting: this.#header?.balances[user] ?? 0,
        done: [],
        open: [] as OpenCharge[],
        seen: this.#seen.get(user) ?? new Map<number, Seen>(),
        final: this.#end?.balances[user],
      }
      accounts.set(user, account)
      return account
    }
    for (const user of Object.keys(this.#header?.balances ?? {})) of(Number(user))
    for (const user of this.#seen.keys()) of(user)
    for (const uses of this.#keys.values()) {
      const done = uses.find(({ answer }) => answer !== undefined)
      if (done === undefined) {
        for (const { key, user, amount, invoked } of uses) of(user).open.push({ key, amount, invoked: invoked.at })
        continue
      }
      const { key, user, amount, invoked, answered, answer = '' } = done
      const balance = balanceIn(answer)
      if (balance !== undefined) of(user).done.push({ key, amount, balance, invoked, answered })
    }
    return [...accounts.values()]
  }

  #bound(at: number): Bound {
    return { at, line: this.#number }
  }

  #found(kind: Violation['kind'], user: number, message: string, ...lines: number[]): void {
    this.#violations.push({ kind, user, message, lines: [...lines, this.#number] })
  }
}

function answersCharge(answer: string, user: number, amount: number): boolean {
  const receipt = parsed(answer)
  return receipt?.userId === user && receipt.chargedAmount === amount && Number.isSafeInteger(receipt.balance)
}

function balanceIn(answer: string): number | undefined {
  const balance = parsed(answer)?.balance
  return Number.isSafeInteger(balance) ? (balance as number) : undefined
}

function parsed(answer: string): { userId?: unknown; chargedAmount?: unknown; balance?: unknown } | undefined {
  try {
    return JSON.parse(answer) ?? undefined
  } catch {
    return undefined
  }
}
