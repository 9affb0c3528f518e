import { acquireLock } from '../../src/lock/acquire-lock.ts'
import { withDistributedLock } from '../../src/lock/with-distributed-lock.ts'
import { pause } from '../../src/time/backoff.ts'
import type { Invariants } from './invariants.ts'
import type { RemoteLockStore } from './remote-store.ts'
import type { PlannedCall } from './scenario.ts'
import type { RunningSection, SeenLease } from './section.ts'
import type { World } from './world.ts'

const DECLINED = 'declined'

export type Outcome = { readonly status: 'fulfilled' } | { readonly status: 'rejected'; readonly code: string }

/** A caller of a process: asks for its keys, works on them for a while, and looks at its lease now and then. */
export class SimulatedCall {
  readonly name: string
  readonly plan: PlannedCall
  readonly store: RemoteLockStore
  /** By when they called. */
  readonly order: number
  readonly calledAtMs: number
  readonly left = new AbortController()
  began = false
  /** On the clock of its process. */
  endedAtMs: number | undefined
  threw = false
  outcome: Outcome | undefined
  readonly #world: World
  readonly #invariants: Invariants

  constructor(name: string, plan: PlannedCall, store: RemoteLockStore, world: World, invariants: Invariants) {
    this.name = name
    this.plan = plan
    this.store = store
    this.#world = world
    this.#invariants = invariants
    this.order = invariants.called(this)
    this.calledAtMs = store.environment.clock.monotonicMs()
  }

  async start(): Promise<void> {
    const { store, plan, left } = this
    const { ttlMs, waitMs, whenLost, leavesAfterMs } = plan
    const { clock } = store.environment
    this.#world.note(`${store.name} ${this.name} calls for ${plan.keys}, ttl ${ttlMs}, waits ${waitMs}`)
    const leaving =
      leavesAfterMs === undefined ? undefined : clock.setTimer(() => left.abort({ code: 'LEFT' }), leavesAfterMs)
    const key = plan.asList ? plan.keys : (plan.keys[0] as string)
    const options = { store, key, ttlMs, waitMs, signal: left.signal }
    try {
      if (plan.owned) await this.#own(options)
      else await withDistributedLock({ ...options, whenLost }, (lease) => this.#section(lease as SeenLease))
      this.outcome = { status: 'fulfilled' }
    } catch (error) {
      this.outcome = { status: 'rejected', code: String(Object(error).code ?? error) }
    }
    clock.clearTimer(leaving)
    this.#world.note(
      `${store.name} ${this.name} ${this.outcome.status} ${'code' in this.outcome ? this.outcome.code : ''}`,
    )
    this.#invariants.settled(this)
  }

  async #own(options: Parameters<typeof acquireLock<string | readonly string[], true>>[0]): Promise<void> {
    const lease = await acquireLock(options)
    try {
      await this.#section(lease as unknown as SeenLease)
    } finally {
      await lease.release()
    }
  }

  async #section(lease: SeenLease): Promise<void> {
    const { plan, store } = this
    this.began = true
    const section = this.#invariants.begins(this, lease)
    for (const { forMs, looks } of plan.work) {
      await pause(forMs, store.environment.clock)
      if (looks) this.#look(section)
    }
    if (plan.reenters && !plan.owned) await this.#reenter(section)
    this.endedAtMs = store.environment.clock.monotonicMs()
    this.threw = plan.throws
    this.#invariants.ends(section)
    if (plan.throws) throw { code: DECLINED }
  }

  /** As before a write that must not be late. */
  #look(section: RunningSection): void {
    try {
      section.lease.assertHeld()
    } catch {
      return
    }
    this.#invariants.believes(section, 'assertHeld() returned')
    if (!section.lease.signal.aborted) this.#invariants.believes(section, 'its signal has not aborted')
  }

  async #reenter({ lease }: RunningSection): Promise<void> {
    const { store, plan } = this
    const live = () => {
      try {
        lease.assertHeld()
        return true
      } catch {
        return false
      }
    }
    if (!live()) return
    const code = await withDistributedLock({ store, key: plan.keys[0] as string, waitMs: 100 }, () => 'ran').catch(
      (error: unknown) => String(Object(error).code),
    )
    if (code !== 'REENTRANT_LOCK') this.#world.violated('re-entrance is refused', `${this.name} called again: ${code}`)
  }
}
