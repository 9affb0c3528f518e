import { backoffMs } from '../time/backoff.ts'
import { type Environment, systemEnvironment, type TimerHandle } from '../time/clock.ts'

/** How the holder of a key reads while the key is kept for the waiter whose turn it is. */
export const TURN = 'next:'
/** For so long a released key is kept for the process whose turn it is, in ms: a few round trips, and a busy event loop. */
export const TURN_MS = 50
/** A place that nobody asked about for so long is forgotten, in ms: who waits asks at least every second. */
export const PLACE_MS = 5_000
/** Pauses between asking a store that announces nothing, of the first in line; well below {@link TURN_MS}. */
const POLL = { baseMs: 4, capMs: 20 }

export interface PlacesOptions {
  readonly environment: Environment | undefined
  /** Takes `waiter` out of the key's queue on the server. */
  readonly giveBack: (key: string, waiter: string) => Promise<unknown>
}

/**
 * The places that this process has in the queues of the server: one for each key that it watches.
 *
 * Who asks only once takes none: the key would be kept in vain for somebody who has gone.
 */
export class Places {
  readonly #options: PlacesOptions
  readonly #places = new Map<string, Place>()
  readonly #givingBack = new Map<string, Promise<unknown>>()

  constructor(options: PlacesOptions) {
    this.#options = options
  }

  /** The place that is asked for under this name from now on, if this process watches the key. */
  take(key: string, waiter: string | undefined): Place | undefined {
    const place = this.#places.get(key)
    place?.asks(waiter)
    return place
  }

  open(key: string, mayBeFree: () => void): Place {
    const place = new Place(this.#options.environment ?? systemEnvironment, mayBeFree, () => {
      if (this.#places.get(key) === place) this.#places.delete(key)
      if (place.queued && place.waiter !== undefined) this.#giveBack(key, place.waiter)
    })
    this.#places.set(key, place)
    return place
  }

  /** A place of `key` on its way back, or the last of several: until it is there, the key may be kept for it in vain. */
  givingBack(key: string): Promise<unknown> | undefined {
    return this.#givingBack.get(key)
  }

  /** Resolves when all that is on its way back has reached the server. */
  async settled(): Promise<void> {
    await Promise.all(this.#givingBack.values())
  }

  /** The queue must not wait for one who has gone. What is not heard of is forgotten by itself. */
  #giveBack(key: string, waiter: string): void {
    const before = this.#givingBack.get(key)
    const given = Promise.all([before, this.#options.giveBack(key, waiter).catch(() => {})]).then(() => {
      if (this.#givingBack.get(key) === given) this.#givingBack.delete(key)
    })
    this.#givingBack.set(key, given)
  }
}

/** One place, and what it hears of the queue. */
export class Place {
  /** The name that it was last asked under. */
  waiter: string | undefined
  /** Whether the server may have that name in its queue. */
  queued = false
  readonly #environment: Environment
  readonly #mayBeFree: () => void
  readonly #onClose: () => void
  #timer: TimerHandle
  #ahead = 0
  #refusals = 0

  constructor(environment: Environment, mayBeFree: () => void, onClose: () => void) {
    this.#environment = environment
    this.#mayBeFree = mayBeFree
    this.#onClose = onClose
  }

  /**
   * Wakes whose turn it is; the one after only when that turn was not taken; and nobody else, so that no herd asks at once.
   * Without names, everybody.
   */
  hear(turn = '', after = ''): void {
    this.#stop()
    if (turn === '' || turn === this.waiter) this.#mayBeFree()
    else if (after === this.waiter) this.#wakeIn(TURN_MS + 1, this.#mayBeFree)
  }

  /** Wakes again and again, where nothing is announced: the sooner the fewer are ahead, the later the longer that stays so. */
  poll(): void {
    const backoff = { ...POLL, baseMs: POLL.baseMs * (this.#ahead + 1) }
    this.#wakeIn(1 + backoffMs(backoff, this.#refusals, this.#environment.random), () => {
      this.poll()
      this.#mayBeFree()
    })
  }

  asks(waiter: string | undefined): void {
    this.#stop()
    this.waiter = waiter
    this.queued = true
  }

  refused(ahead: number): void {
    this.#refusals = ahead === this.#ahead ? this.#refusals + 1 : 1
    this.#ahead = ahead
  }

  granted(): void {
    this.queued = false
    this.#ahead = 0
    this.#refusals = 0
  }

  close(): void {
    this.#stop()
    this.#onClose()
  }

  #wakeIn(ms: number, wake: () => void): void {
    this.#stop()
    this.#timer = this.#environment.clock.setTimer(wake, ms)
  }

  #stop(): void {
    this.#environment.clock.clearTimer(this.#timer)
  }
}
