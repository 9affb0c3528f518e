import type { Grant } from './grant.ts'
import type { Ledger } from './ledger.ts'
import { checkOutcome, checkWait } from './progress.ts'
import type { RunningSection, SeenLease } from './section.ts'
import type { SimulatedCall } from './simulated-call.ts'
import type { World } from './world.ts'

/** What must hold at every step, told from outside: nothing here asks the engine and so makes it look at its clocks. */
export class Invariants {
  readonly calls = new Set<SimulatedCall>()
  /** How many beliefs of sections were compared with the store's word. */
  compared = 0
  readonly #world: World
  readonly #ledger: Ledger
  readonly #sections = new Set<RunningSection>()
  readonly #lastToken = new Map<string, bigint>()
  readonly #began: SimulatedCall[] = []
  #called = 0
  readonly #lostAtEnd = new Set<SimulatedCall>()

  constructor(world: World, ledger: Ledger) {
    this.#world = world
    this.#ledger = ledger
    world.onEachStep(() => this.#check())
  }

  /** Returns the place of the call among all. */
  called(call: SimulatedCall): number {
    this.calls.add(call)
    this.#called += 1
    return this.#called
  }

  /** The section of `call` begins; what its tokens are from is looked up in what its process was granted. */
  begins(call: SimulatedCall, lease: SeenLease): RunningSection {
    const { store, plan } = call
    const tokens = lease.fencingTokens ?? new Map([[plan.keys[0] as string, lease.fencingToken ?? 0n]])
    this.#world.note(`${store.name} ${call.name} begins, tokens ${[...tokens.values()]}`)
    const grants = [...tokens].flatMap(([key, token]) => this.#grantOf(call, key, token) ?? [])
    const signal = plan.listens ? lease.signal : undefined
    const section = { call, store, lease, grants, signal }
    for (const other of this.#sections) {
      const shared = other.grants.find((grant) => grants.includes(grant))
      if (shared !== undefined && other.call.store.environment.alive)
        this.#world.violated('one section per lease', `${call.name} and ${other.call.name} under ${shared.holder}`)
    }
    this.#sections.add(section)
    this.#began.push(call)
    return section
  }

  /** At this moment the code of the section was told that it has its keys. */
  believes({ call, grants }: RunningSection, why: string): void {
    for (const grant of grants) this.#compare(call, grant, why)
  }

  ends(section: RunningSection): void {
    this.#sections.delete(section)
    const isLost = ({ key, holder }: Grant) =>
      !this.#ledger.holds(key, holder) && this.#ledger.doubtfulSince(holder) === undefined
    if (section.grants.some(isLost)) this.#lostAtEnd.add(section.call)
  }

  settled(call: SimulatedCall): void {
    this.calls.delete(call)
    checkOutcome(this.#world, call, this.#lostAtEnd.has(call))
  }

  #grantOf({ name, store, plan }: SimulatedCall, key: string, token: bigint): Grant | undefined {
    const grant = store.grants.findLast(
      ({ key: granted, firstToken, tokens }) =>
        granted === key && firstToken <= token && token < firstToken + BigInt(tokens),
    )
    if (grant === undefined) {
      this.#world.violated('tokens are reserved', `${token} of ${name} was never granted to ${store.name}`)
      return undefined
    }
    const doubtful = this.#ledger.doubtfulSince(grant.holder) !== undefined
    const last = this.#lastToken.get(key) ?? 0n
    if (token <= last && !doubtful)
      this.#world.violated('tokens increase', `${name} has ${token} of ${key} after ${last}`)
    if (token > last) this.#lastToken.set(key, token)
    if (grant.ttlMs < plan.ttlMs)
      this.#world.violated('a lease as long as asked for', `${name} has ${grant.ttlMs} of ${plan.ttlMs} ms`)
    grant.sections += 1
    this.#checkHandOff(grant, plan.asList ? undefined : store.environment.clock.monotonicMs(), store.handOff)
    return grant
  }

  #checkHandOff(grant: Grant, nowMs: number | undefined, bound: { maxSections: number; maxMs: number }): void {
    if (grant.sections > bound.maxSections)
      this.#world.violated('hand-off is bounded', `${grant.sections} sections under ${grant.holder}`)
    if (grant.sections > 1 && nowMs !== undefined && nowMs - grant.sentAtMs >= bound.maxMs)
      this.#world.violated('hand-off is bounded', `${grant.holder} handed on after ${nowMs - grant.sentAtMs} ms`)
  }

  #check(): void {
    const believers = new Map<string, string>()
    for (const { call, store, grants, signal } of this.#sections) {
      const { environment: process } = store
      if (signal === undefined || signal.aborted || !process.awake) continue
      for (const grant of grants) {
        // Timers stood still with the machine: until the lease is another, its code has to look.
        if (grant.arrivedAtMs <= process.resumedAtMs || !this.#compare(call, grant, 'its signal stands')) continue
        const other = believers.get(grant.key)
        if (other !== undefined)
          this.#world.violated('one live holder per key', `${other} and ${call.name} have ${grant.key}`)
        believers.set(grant.key, call.name)
      }
    }
    for (const call of this.calls) checkWait(this.#world, call)
    this.#checkOrder()
  }

  /** Whether the store's word is `grant`'s; doubt is over with the lease at the latest. */
  #compare({ name }: SimulatedCall, { key, holder, ttlMs }: Grant, why: string): boolean {
    this.compared += 1
    if (this.#ledger.holds(key, holder)) return true
    const doubtfulSince = this.#ledger.doubtfulSince(holder)
    const inDoubt = doubtfulSince !== undefined && this.#world.nowMs - doubtfulSince <= 1.01 * ttlMs
    if (!inDoubt) {
      const current = this.#ledger.holderOf(key) ?? 'nobody'
      this.#world.violated(
        'loss is known before takeover',
        `${name} has ${key} by ${holder}, ${why}: it is ${current}’s`,
      )
    }
    return false
  }

  /** Who called before and still waits for the same key in the same process comes first. */
  #checkOrder(): void {
    for (const call of this.#began.splice(0)) {
      if (call.plan.asList) continue
      for (const other of this.calls) {
        const same = other.store === call.store && !other.plan.asList && other.plan.keys[0] === call.plan.keys[0]
        if (same && !other.began && other.order < call.order)
          this.#world.violated('first in, first out', `${call.name} before ${other.name}`)
      }
    }
  }
}
