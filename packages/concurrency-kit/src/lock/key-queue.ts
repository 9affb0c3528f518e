import { randomUUID } from 'node:crypto'
import { LockUnavailableError, StoreError } from '../errors.ts'
import { backoffMs } from '../time/backoff.ts'
import { type Instant, later, msUntil, now, type TimerHandle } from '../time/clock.ts'
import { trustedMs } from '../time/renewed-lease.ts'
import { Hold } from './hold.ts'
import type { SectionLease } from './lease.ts'
import type { AcquireResult } from './lock-store.ts'
import type { StoreAccess } from './store-access.ts'
import { WaitEnds, Waiter, type Wanted } from './waiter.ts'
import { WaitingLine } from './waiting-line.ts'

/** Pauses between asking a store that cannot announce a release. */
const POLL = { baseMs: 4, capMs: 100 }
/**
 * Tokens are reserved for those who wait and some who will come: a counter that ran ahead of the microseconds could not
 * be started again from the clock after it was lost.
 */
const TOKENS_PER_WAITER = 4
/** Longest trust in announcements that may have been lost. */
const WATCHED_POLL_MS = 1_000

/**
 * The callers of this process that want one key, first in, first out.
 *
 * Only the first of them holds or seeks the store's lease; a live one is handed on without a store command, within the
 * store's hand-off bound.
 *
 * @see Dice, Marathe & Shavit 2012 (lock cohorting)
 */
export class KeyQueue {
  readonly #key: string
  readonly #store: StoreAccess
  readonly #onIdle: () => void
  readonly #waiters = new WaitingLine()
  readonly #waitEnds: WaitEnds
  /** Under this name the store may queue this process, for as long as the queue is not idle. */
  readonly #place = randomUUID()
  #hold: Hold | undefined
  /** A lease on its way back to the store; the next is sought after it. */
  #releasing: Promise<void> | undefined
  /** The loop that seeks a lease while somebody waits, if it is running. */
  #working: Promise<void> | undefined
  #polls = 0
  /** What the key holds if that is not a lock, according to the store's latest answer. */
  #noLock: string | undefined
  #mayBeFree = false
  #wake: () => void = () => {}
  #unwatch: (() => void) | undefined

  constructor(key: string, store: StoreAccess, onIdle: () => void) {
    this.#key = key
    this.#store = store
    this.#onIdle = onIdle
    this.#waitEnds = new WaitEnds(store.clock, this.#waiters, (waiter) => this.#waitIsOver(waiter))
  }

  enter(wanted: Wanted): Promise<SectionLease> {
    return new Promise((resolve, reject) => {
      const waiter = new Waiter(wanted, this.#store.clock.monotonicMs(), resolve, reject)
      const first = this.#hold === undefined && this.#waiters.size === 0
      if (wanted.waitMs === 0 && !first) return this.#refuse(waiter, this.#unavailable(waiter))
      this.#waiters.add(waiter)
      const { signal } = wanted
      if (signal !== undefined) waiter.onAbort(signal, () => this.#refuse(waiter, signal.reason))
      // The first of all gets an answer of the store before its wait can be over.
      if (!first || this.#releasing !== undefined) this.#waitEnds.watch(waiter)
      this.#work()
    })
  }

  /** Hands on or gives back what a section had; the promise, where there is one, tells when the store has it. */
  leave(hold: Hold): Promise<void> | undefined {
    if (this.#hold !== hold) return
    const next = this.#waiters.first
    if (next !== undefined && hold.canServe(next.wanted.ttlMs)) {
      this.#grant(next, hold, true)
      return
    }
    if (this.#hold !== hold) return
    this.#hold = undefined
    const released = this.#giveBack(hold)
    if (released !== undefined) this.#releasing = released
    this.#work()
    return released
  }

  /** Refuses everybody who waits, and takes the lease away from the section that has it. */
  async close(error: StoreError): Promise<void> {
    this.#refuseAll(error)
    const hold = this.#hold
    if (hold !== undefined) {
      this.#hold = undefined
      hold.lose('its store was closed', error)
      await this.#store.release(this.#key, hold.holder, this.#place)
      this.#work()
    }
    await this.#working
  }

  #work(): void {
    if (this.#hold === undefined) this.#working ??= this.#seekWhileWanted()
  }

  async #seekWhileWanted(): Promise<void> {
    // Callers of the same tick are in line before the first attempt says how many there are.
    await undefined
    while (this.#hold === undefined) {
      const releasing = this.#releasing
      if (releasing !== undefined) {
        await releasing
        if (this.#releasing === releasing) this.#releasing = undefined
      } else if (this.#waiters.size > 0) await this.#seek()
      else break
    }
    this.#working = undefined
    if (this.#waiters.size > 0) return
    this.#waitEnds.stop()
    this.#unwatch?.()
    this.#unwatch = undefined
    if (this.#hold === undefined) this.#onIdle()
  }

  /** One attempt for the first in line, and the pause after it if the key is held elsewhere. */
  async #seek(): Promise<void> {
    const asking = this.#waiters.first as Waiter
    if (asking.attempt === 'none') asking.attempt = 'running'
    this.#mayBeFree = false
    const holder = randomUUID()
    try {
      const { answer, sentAt } = await this.#acquire(holder, asking.wanted.ttlMs)
      asking.attempt = 'answered'
      this.#noLock = answer.acquired ? undefined : answer.noLock
      if (answer.acquired) return await this.#take(holder, asking.wanted.ttlMs, answer, sentAt)
      asking.overdue ||= asking.endMs <= this.#store.clock.monotonicMs()
      if (asking.overdue && asking.inLine) this.#refuse(asking, this.#unavailable(asking))
      else this.#waitEnds.watch(asking)
      // Who asked has left, and somebody else is first now: this answer was not theirs.
      if (!asking.inLine && this.#waiters.first?.attempt === 'none') return
      await this.#untilMaybeFree(answer.freeInMs)
    } catch (error) {
      this.#abandon(holder)
      this.#refuseAll(error)
    }
  }

  /** Asks, and once more where the answer was lost: the same holder is granted again what it has. */
  async #acquire(holder: string, ttlMs: number): Promise<{ answer: AcquireResult; sentAt: Instant }> {
    const tokens = Math.min(this.#store.handOff.maxSections, TOKENS_PER_WAITER * this.#waiters.size)
    const onLost = (cause: unknown) => {
      if (this.#hold?.holder === holder) this.#hold.lose('the store no longer has it', cause)
    }
    const request = { key: this.#key, holder, ttlMs, tokens, waiter: this.#place, onLost }
    const limitMs = Math.min(this.#store.commandMs, trustedMs(ttlMs))
    let asking = true
    const onLate = (answer: AcquireResult) => {
      if (answer.acquired && !asking && this.#hold?.holder !== holder) this.#abandon(holder)
    }
    try {
      for (let asked = 1; ; asked += 1) {
        const sentAt = now(this.#store.clock)
        try {
          const answer = await this.#store.tryAcquire(request, limitMs, onLate)
          if (!answer.acquired) return { answer, sentAt }
          if (this.#store.fencing && answer.firstToken === undefined) {
            throw new StoreError(`${this.#store.name} granted a lease without a fencing token`)
          }
          if (msUntil(later(sentAt, trustedMs(ttlMs)), this.#store.clock) > 0) return { answer, sentAt }
          throw new StoreError(`${this.#store.name} granted a lease of ${ttlMs} ms only after it was over`)
        } catch (error) {
          this.#store.commandFailed('tryAcquire', this.#key, error)
          if (asked === 2 || this.#store.acquiresOnce) throw error
        }
      }
    } finally {
      asking = false
    }
  }

  /** What may have been granted to `holder` is released, or expires. */
  #abandon(holder: string): void {
    void this.#store.release(this.#key, holder, this.#place)
  }

  async #take(
    holder: string,
    ttlMs: number,
    granted: AcquireResult & { acquired: true },
    sentAt: Instant,
  ): Promise<void> {
    const next = this.#waiters.first
    if (next === undefined || next.wanted.ttlMs > ttlMs) return this.#store.release(this.#key, holder, this.#place)
    const { firstToken, tokens = 1 } = granted
    const { maxSections } = this.#store.handOff
    const sections = this.#store.fencing ? Math.min(tokens, maxSections) : maxSections
    const hold = new Hold(this.#store, { key: this.#key, holder, ttlMs, sentAt, sections, firstToken })
    hold.onLost = () => this.#lost(hold)
    this.#hold = hold
    this.#polls = 0
    this.#grant(next, hold, false)
  }

  #grant(waiter: Waiter, hold: Hold, handedOff: boolean): void {
    this.#waiters.delete(waiter)
    waiter.grant(hold.openSection(handedOff))
  }

  #giveBack(hold: Hold): Promise<void> | undefined {
    hold.stop()
    return this.#store.release(this.#key, hold.holder, this.#place)
  }

  #lost(hold: Hold): void {
    if (this.#hold !== hold) return
    this.#hold = undefined
    this.#abandon(hold.holder)
    this.#work()
  }

  /** Until the key is announced as free, its lease would be over, it is time to ask again, or nobody wants it. */
  async #untilMaybeFree(freeInMs: number | undefined): Promise<void> {
    if (this.#waiters.size === 0) return
    this.#unwatch ??= this.#store.watch(this.#key, () => {
      this.#mayBeFree = true
      this.#wake()
    })
    if (this.#mayBeFree) return
    this.#polls += 1
    const { clock, random } = this.#store.environment
    const pollMs = this.#unwatch === undefined ? 1 + backoffMs(POLL, this.#polls, random) : WATCHED_POLL_MS
    let timer: TimerHandle
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      timer = clock.setTimer(resolve, Math.min(pollMs, (freeInMs ?? pollMs) + 1))
    })
    clock.clearTimer(timer)
  }

  #waitIsOver(waiter: Waiter): void {
    if (waiter.attempt === 'running') waiter.overdue = true
    else this.#refuse(waiter, this.#unavailable(waiter))
  }

  #refuse(waiter: Waiter, error: unknown): void {
    this.#waiters.delete(waiter)
    waiter.refuse(error)
    if (this.#waiters.size === 0) this.#wake()
  }

  #refuseAll(error: unknown): void {
    for (let first = this.#waiters.first; first !== undefined; first = this.#waiters.first) this.#refuse(first, error)
  }

  #unavailable(waiter: Waiter): LockUnavailableError {
    const waitedMs = this.#store.clock.monotonicMs() - waiter.enteredAtMs
    return new LockUnavailableError(this.#key, waitedMs, { nested: waiter.wanted.nested, noLock: this.#noLock })
  }
}
