import { AsyncResource } from 'node:async_hooks'
import { listen } from '../../abort.ts'
import { StoreError } from '../../errors.ts'
import type { Database, OwnedTransaction, Statement } from '../../sql/database.ts'
import { onLoan } from '../../sql/loan.ts'
import type { Clock } from '../../time/clock.ts'
import type { AttemptRequest, AttemptResult, Settlement } from '../idempotency-store.ts'

/** Attempts that share one transaction at most. */
const MOST_MEMBERS = 64
/** Groups that may be under way before the next attempts gather, and for how long, in ms, one of them counts. */
const MOST_GROUPS = 3
const GROUP_MS = 20
/** Longest wait for a rival of another process: it is one member's, and all others would wait along. */
const CLAIM_MS = 5
/** Longest time for the handlers of a group; whoever takes longer runs alone, and so do the others. */
const HANDLERS_MS = 500

type Handler<Transaction> = (transaction: Transaction) => Promise<Settlement>

interface Member<Transaction> {
  readonly request: AttemptRequest
  readonly handler: Handler<Transaction>
  readonly resolve: (result: AttemptResult | Promise<AttemptResult>) => void
  /** Takes the member into a group: false if its signal has withdrawn it. Afterwards the signal has no effect. */
  take(): boolean
}

export interface GroupCommitOptions<Transaction> {
  readonly name: string
  readonly database: Database<Transaction, never>
  readonly claim: (request: AttemptRequest) => Statement
  readonly complete: (request: AttemptRequest, settlement: Settlement) => Statement
  readonly alone: (request: AttemptRequest, handler: Handler<Transaction>) => Promise<AttemptResult>
  readonly clock: Clock
}

/**
 * Attempts of this process that are ready at the same time share a transaction: their claims go together, their handlers
 * run side by side in it, and their results and one COMMIT go together.
 *
 * Whatever goes wrong in a group undoes all of it, and each of its members runs again alone. So does a member whose key is
 * taken, and whoever is alone from the beginning.
 *
 * @see DeWitt et al. 1984 (group commit)
 */
export class GroupCommit<Transaction> {
  readonly #options: GroupCommitOptions<Transaction>
  readonly #waiting: Member<Transaction>[] = []
  #underWay = 0
  /** Until a client is seen that does not pipeline. */
  #possible = true
  #starting = false
  /** How many the latest start was for: where they come one by one, nobody waits for the end of the round. */
  #latest = 1

  constructor(options: GroupCommitOptions<Transaction>) {
    this.#options = options
  }

  attempt(request: AttemptRequest, handler: Handler<Transaction>): Promise<AttemptResult> {
    if (!this.#possible) return this.#options.alone(request, handler)
    return new Promise((resolve, reject) => {
      const { signal } = request
      let wanted = true
      const stopListening = listen(signal, () => {
        wanted = false
        reject(signal?.reason)
      })
      const take = () => {
        stopListening()
        return wanted
      }
      // Run in the context of its own caller, whoever's turn of the event loop it is.
      this.#waiting.push({ request, handler: AsyncResource.bind(handler), resolve, take })
      this.#startSoon()
    })
  }

  #startSoon(): void {
    if (this.#starting || this.#underWay === MOST_GROUPS) return
    if (this.#latest === 1 && this.#underWay === 0) {
      this.#start()
      return
    }
    this.#starting = true
    setImmediate(() => {
      this.#starting = false
      if (this.#waiting.length > 0) this.#start()
      if (this.#waiting.length > 0) this.#startSoon()
    })
  }

  /** A group, or one alone: while some are under way, others gather. One that takes long holds nobody up. */
  #start(): void {
    const members = this.#waiting.splice(0, MOST_MEMBERS)
    this.#underWay += 1
    this.#latest = members.length
    let counts = true
    const over = () => {
      if (!counts) return
      counts = false
      clock.clearTimer(timer)
      this.#underWay -= 1
      if (this.#waiting.length > 0) this.#startSoon()
    }
    const { clock } = this.#options
    const timer = clock.setTimer(over, GROUP_MS)
    void (members.length === 1 ? this.#alone(members) : this.#claimed(members)).then(over)
  }

  async #alone(members: readonly Member<Transaction>[]): Promise<void> {
    const results = members.map(({ request, handler, resolve, take }) => {
      if (!take()) return undefined
      const result = this.#options.alone(request, handler)
      resolve(result)
      return result
    })
    await Promise.allSettled(results)
  }

  async #claimed(all: Member<Transaction>[]): Promise<void> {
    // In one order everywhere: groups of two processes would otherwise wait for each other's keys.
    let members = all.sort((a, b) => compare(a.request.scope, b.request.scope) || compare(a.request.key, b.request.key))
    const { name, database, claim } = this.#options
    let owned: OwnedTransaction<Transaction> | undefined
    let granted: Member<Transaction>[]
    try {
      owned = await database.begin({ waitMs: CLAIM_MS })
      if (owned.claimAll === undefined) {
        this.#possible = false
        throw new StoreError('its client does not pipeline')
      }
      members = members.filter(({ take }) => take())
      const claims = members.map(({ request }) => claim(request))
      const claimed = await owned.claimAll(`claims of ${name}`, claims, database.dialect.unboundWait)
      granted = members.filter((_, index) => claimed[index]?.length === 1)
    } catch {
      await owned?.rollback()
      return this.#alone(members)
    }
    const refused = members.filter((member) => !granted.includes(member))
    const shared = granted.length > 0 ? this.#run(owned, granted) : owned.rollback()
    await Promise.all([shared, this.#alone(refused)])
  }

  async #run(owned: OwnedTransaction<Transaction>, members: readonly Member<Transaction>[]): Promise<void> {
    const running = members.map(({ handler }) => onLoan(owned, handler))
    const settlements = await this.#allOf(running)
    if (settlements !== undefined && owned.failure() === undefined) return this.#commit(owned, members, settlements)
    await owned.rollback()
    const cause =
      owned.failure() ??
      new StoreError('an attempt that shared the transaction failed, or took too long: each runs alone')
    // Whose own fault it was shows when it is alone: next to others even a row's lock is no lock.
    for (const [index, { resolve }] of members.entries()) {
      const again = () => resolve({ status: 'retry', cause })
      running[index]?.then(again, again)
    }
  }

  async #commit(
    owned: OwnedTransaction<Transaction>,
    members: readonly Member<Transaction>[],
    settlements: readonly Settlement[],
  ): Promise<void> {
    const { complete } = this.#options
    const last = members.map(({ request }, index) => complete(request, settlements[index] as Settlement))
    const ended = await owned.commit(last)
    for (const { resolve } of members) {
      if (ended.status === 'committed') resolve({ status: 'completed' })
      else resolve({ status: 'retry', cause: ended.cause, ambiguous: ended.status === 'ambiguous' })
    }
  }

  /** What the handlers come to; undefined as soon as one of them fails, or they take too long. */
  #allOf(running: readonly Promise<Settlement>[]): Promise<readonly Settlement[] | undefined> {
    const { clock } = this.#options
    return new Promise((resolve) => {
      const timer = clock.setTimer(() => resolve(undefined), HANDLERS_MS)
      Promise.all(running)
        .then(resolve, () => resolve(undefined))
        .finally(() => clock.clearTimer(timer))
    })
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}
