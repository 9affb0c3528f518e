import { type Environment, systemEnvironment, type TimerHandle } from '../../time/clock.ts'

export interface PlacesOptions {
  /** How long a released key is kept for the waiter whose turn it is. */
  readonly turnMs: number
  readonly environment: Environment | undefined
  /** Takes `waiter` out of the key's queue on the server. */
  readonly giveBack: (key: string, waiter: string) => Promise<void>
}

/**
 * The places that this process has in the queues of the server: one for each key that it watches.
 *
 * Who asks only once takes none: the key would be kept in vain for somebody who has gone.
 */
export class Places {
  readonly #options: PlacesOptions
  readonly #places = new Map<string, Place>()

  constructor(options: PlacesOptions) {
    this.#options = options
  }

  get(key: string): Place | undefined {
    return this.#places.get(key)
  }

  open(key: string, mayBeFree: () => void): Place {
    const { turnMs, environment = systemEnvironment, giveBack } = this.#options
    const place = new Place(turnMs, environment, mayBeFree, () => {
      if (this.#places.get(key) === place) this.#places.delete(key)
      if (place.queued && place.waiter !== undefined) void giveBack(key, place.waiter)
    })
    this.#places.set(key, place)
    return place
  }
}

/** One place, and what it hears of the queue. */
export class Place {
  /** The name that it was last asked under. */
  waiter: string | undefined
  /** Whether the server may have that name in its queue. */
  queued = false
  readonly #turnMs: number
  readonly #environment: Environment
  readonly #mayBeFree: () => void
  readonly #onClose: () => void
  #inVain: TimerHandle

  constructor(turnMs: number, environment: Environment, mayBeFree: () => void, onClose: () => void) {
    this.#turnMs = turnMs
    this.#environment = environment
    this.#mayBeFree = mayBeFree
    this.#onClose = onClose
  }

  /**
   * Wakes whose turn it is; the one after only when that turn was not taken; and nobody else, so that no herd asks at once.
   * Without names, everybody.
   */
  hear(message: string | undefined): void {
    const { clock } = this.#environment
    clock.clearTimer(this.#inVain)
    const [turn = '', after = ''] = message?.split(' ') ?? []
    if (turn === '' || turn === this.waiter) this.#mayBeFree()
    else if (after === this.waiter) this.#inVain = clock.setTimer(this.#mayBeFree, this.#turnMs + 1)
  }

  close(): void {
    this.#environment.clock.clearTimer(this.#inVain)
    this.#onClose()
  }
}
