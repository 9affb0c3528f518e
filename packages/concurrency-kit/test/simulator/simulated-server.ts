import type {
  AcquireRequest,
  AcquireResult,
  ExtendRequest,
  LockStore,
  ReleaseRequest,
} from '../../src/lock/lock-store.ts'
import { memoryLockStore } from '../../src/lock/stores/memory.ts'
import { Ledger } from './ledger.ts'
import { MachineClock } from './machine-clock.ts'
import type { World } from './world.ts'

/**
 * A store's server: the code of the memory store, which keeps leases as Redis does, on the server's own wall clock.
 *
 * It may stop and go on, be out of reach with its data kept, and come back without them.
 */
export class SimulatedServer {
  readonly name = 'store'
  readonly clock: MachineClock
  readonly ledger: Ledger
  /** Tells every process that a key may be free. */
  announce: (key: string) => void = () => {}
  #crashes = 0
  readonly #world: World
  readonly #keys: readonly string[]
  #behind: LockStore<true>
  #stopped: (() => void)[] | undefined

  constructor(world: World, { rate, keys }: { rate: number; keys: readonly string[] }) {
    this.#world = world
    this.#keys = keys
    this.clock = new MachineClock(world, rate)
    this.ledger = new Ledger(world, this.clock)
    this.#behind = this.#open()
  }

  /** Commands are refused at once, as by a machine without the program. */
  get down(): boolean {
    return this.#crashes > 0
  }

  enter(run: () => void): void {
    if (this.#stopped === undefined) run()
    else this.#stopped.push(run)
  }

  tryAcquire(request: AcquireRequest): AcquireResult {
    const answer = this.#behind.tryAcquire(request) as AcquireResult
    if (answer.acquired) this.ledger.granted(request.key, request.holder, request.ttlMs)
    return answer
  }

  extend(request: ExtendRequest): boolean {
    const extended = this.#behind.extend(request) as boolean
    if (extended) this.ledger.extended(request.key, request.holder, request.ttlMs)
    return extended
  }

  release(request: ReleaseRequest): boolean {
    this.ledger.released(request.key, request.holder)
    return this.#behind.release(request) as boolean
  }

  stop(ms: number): void {
    if (this.#stopped !== undefined) return
    this.#world.note(`store stands still for ${ms} ms`)
    this.#stopped = []
    this.#world.after(ms, () => {
      const arrived = this.#stopped ?? []
      this.#stopped = undefined
      this.#world.note('store goes on')
      for (const run of arrived) run()
    })
  }

  crash(ms: number, { withData }: { withData: boolean }): void {
    this.#world.note(`store is down for ${ms} ms${withData ? '' : ', and loses its data'}`)
    this.#crashes += 1
    if (!withData) this.ledger.forget({ data: true })
    this.#world.after(ms, () => {
      this.#crashes -= 1
      if (!withData) this.#behind = this.#open()
      if (!this.down) this.#world.note('store is up')
    })
  }

  /** Leases end early by it. */
  stepClock(ms: number): void {
    this.#world.note(`the store's clock steps by ${ms} ms`)
    this.ledger.forget({ data: false })
    this.clock.stepWall(ms)
  }

  #open(): LockStore<true> {
    // The server's only clock is its wall clock, as it is for Redis.
    const clock = {
      monotonicMs: this.clock.wallMs,
      wallMs: this.clock.wallMs,
      setTimer: () => {},
      clearTimer: () => {},
    }
    const behind = memoryLockStore({ environment: { clock, random: this.#world.chance.unit } })
    for (const key of this.#keys) behind.watch?.(key, () => this.announce(key))
    return behind
  }
}
