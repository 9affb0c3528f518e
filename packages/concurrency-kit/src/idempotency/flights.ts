import { AsyncLocalStorage } from 'node:async_hooks'
import { listen, type Signal } from '../abort.ts'
import { FingerprintMismatchError, IdempotencyInProgressError } from '../errors.ts'
import type { Clock } from '../time/clock.ts'
import type { RecordKey, Settlement } from './idempotency-store.ts'

/** What a caller in line is told: the result of the run before it, or that it is its turn to run. */
type Told = Settlement | 'run'

interface Flight {
  /** Of the payload that runs. */
  fingerprint: string
  readonly joiners: Set<(told: Told) => void>
  /** The run that is under way; a run that is over does not count as its own caller. */
  run: object
}

interface Frame {
  readonly run: object
  readonly outer: Frame | undefined
}

/** The runs that the current asynchronous context is inside of. */
const frames = new AsyncLocalStorage<Frame>()

interface Caller extends RecordKey {
  readonly fingerprint: string
  readonly waitMs: number
  readonly signal: Signal | undefined
}

const FLIGHTS = Symbol.for('concurrency-kit.idempotency-flights')

/**
 * The runs of this process on one store: callers with a key that runs already join it, in line.
 */
export class Flights {
  readonly #flights = new Map<string, Flight>()

  static of(store: object): Flights {
    const existing = Reflect.get(store, FLIGHTS) as Flights | undefined
    if (existing !== undefined) return existing
    const flights = new Flights()
    Object.defineProperty(store, FLIGHTS, { value: flights })
    return flights
  }

  /**
   * Runs `run`, or waits for the same key's run of somebody else: its settlement is shared, its failure is its own
   * caller's, and the next in line runs. `run` gets what is left of the caller's `waitMs`.
   *
   * A run of another payload is waited for too: it may itself be the wrong one, which only a record can tell.
   */
  async share(
    caller: Caller,
    clock: Clock,
    run: (waitMs: number) => Promise<Settlement>,
  ): Promise<{ settlement: Settlement; joined: boolean }> {
    const name = `${caller.scope.length}:${caller.scope}${caller.key}`
    const enteredAtMs = clock.monotonicMs()
    let flight = this.#flights.get(name)
    if (flight === undefined) {
      flight = { fingerprint: caller.fingerprint, joiners: new Set(), run: {} }
      this.#flights.set(name, flight)
    } else {
      const told = await this.#join(flight, caller, clock)
      if (told !== 'run') {
        if (flight.fingerprint !== caller.fingerprint) throw new FingerprintMismatchError(caller.key)
        return { settlement: told, joined: true }
      }
      flight.fingerprint = caller.fingerprint
    }
    flight.run = {}
    try {
      const leftMs = Math.max(0, Math.ceil(caller.waitMs - (clock.monotonicMs() - enteredAtMs)))
      const settlement = await frames.run({ run: flight.run, outer: frames.getStore() }, () => run(leftMs))
      this.#flights.delete(name)
      for (const tell of flight.joiners) tell(settlement)
      return { settlement, joined: false }
    } catch (error) {
      flight.run = {}
      const next = first(flight.joiners)
      if (next === undefined) this.#flights.delete(name)
      else next('run')
      throw error
    }
  }

  #join(flight: Flight, { key, waitMs, signal }: Caller, clock: Clock): Promise<Told> {
    for (let frame = frames.getStore(); frame !== undefined; frame = frame.outer) {
      if (frame.run === flight.run) throw new IdempotencyInProgressError(key, 'its own handler asks for it')
    }
    if (waitMs === 0) throw new IdempotencyInProgressError(key, 'it runs in this process, and waitMs is 0')
    return new Promise((resolve, reject) => {
      const stop = () => {
        clock.clearTimer(timer)
        stopListening()
        flight.joiners.delete(tell)
      }
      const tell = (told: Told) => {
        stop()
        resolve(told)
      }
      const timer = clock.setTimer(() => {
        stop()
        reject(new IdempotencyInProgressError(key, `it did not end within ${waitMs} ms`))
      }, waitMs)
      const stopListening = listen(signal, () => {
        stop()
        reject(signal?.reason)
      })
      flight.joiners.add(tell)
    })
  }
}

function first<Item>(items: Iterable<Item>): Item | undefined {
  for (const item of items) return item
  return undefined
}
