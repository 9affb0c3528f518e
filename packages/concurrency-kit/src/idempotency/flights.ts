import { AsyncLocalStorage } from 'node:async_hooks'
import { listen, type Signal } from '../abort.ts'
import { FingerprintMismatchError, IdempotencyInProgressError } from '../errors.ts'
import { BIND } from '../nested-call.ts'
import type { Clock } from '../time/clock.ts'
import type { RecordKey, Settlement } from './idempotency-store.ts'

/** What a caller in line is told: the result of the run before it, or that it is its turn to run. */
type Told = Settlement | 'run'

interface Flight {
  /** Fingerprint of the payload of the current run. */
  fingerprint: string
  readonly joiners: Set<(told: Told) => void>
  /** The run that is under way; a run that is over does not count as its own caller. */
  run: Run
}

interface Run {
  over: boolean
}

interface Frame {
  readonly run: Run
  readonly outer: Frame | undefined
}

/** The runs around the current asynchronous context; a job that a queue started in a run's context counts as inside it. */
const frames = new AsyncLocalStorage<Frame>()

interface Caller extends RecordKey {
  readonly fingerprint: string
  readonly waitMs: number
  readonly signal: Signal | undefined
  readonly reentrance: 'refuse' | 'wait'
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
   * A caller also waits for a run with another payload. Only a record decides which payload is the right one.
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
      flight = { fingerprint: caller.fingerprint, joiners: new Set(), run: { over: false } }
      this.#flights.set(name, flight)
    } else {
      const told = await this.#join(flight, caller, clock)
      if (told !== 'run') {
        if (flight.fingerprint !== caller.fingerprint) throw new FingerprintMismatchError(caller.key)
        return { settlement: told, joined: true }
      }
      flight.fingerprint = caller.fingerprint
    }
    const current = { over: false }
    flight.run = current
    try {
      const leftMs = Math.max(0, Math.ceil(caller.waitMs - (clock.monotonicMs() - enteredAtMs)))
      const settlement = await frames.run({ run: current, outer: stillRunning(frames.getStore()) }, () => run(leftMs))
      this.#flights.delete(name)
      for (const tell of flight.joiners) tell(settlement)
      return { settlement, joined: false }
    } catch (error) {
      const next = first(flight.joiners)
      if (next === undefined) this.#flights.delete(name)
      else next('run')
      throw error
    } finally {
      current.over = true
    }
  }

  #join(flight: Flight, { key, waitMs, signal, reentrance }: Caller, clock: Clock): Promise<Told> {
    const nested = isInside(flight.run)
    if (nested && reentrance === 'refuse') {
      const why = 'this asynchronous context already runs it, and a nested call would deadlock'
      throw new IdempotencyInProgressError(key, `${why}; ${BIND}, or pass reentrance: 'wait'`)
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
        const why = nested ? `: this asynchronous context already runs it; ${BIND}` : ''
        reject(new IdempotencyInProgressError(key, `it did not end within ${waitMs} ms${why}`))
      }, waitMs)
      const stopListening = listen(signal, () => {
        stop()
        reject(signal?.reason)
      })
      flight.joiners.add(tell)
    })
  }
}

/** True for a nested call, and for another caller's job that was started in this context: both look the same. */
function isInside(run: Run): boolean {
  for (let frame = frames.getStore(); frame !== undefined; frame = frame.outer) if (frame.run === run) return !run.over
  return false
}

/** Drops runs that are over: a chain in which each run starts the next must not grow. */
function stillRunning(innermost: Frame | undefined): Frame | undefined {
  let frame = innermost
  while (frame?.run.over) frame = frame.outer
  return frame
}

function first<Item>(items: Iterable<Item>): Item | undefined {
  for (const item of items) return item
  return undefined
}
