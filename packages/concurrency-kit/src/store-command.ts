import { listen, type Signal } from './abort.ts'
import { isStoreError, StoreError } from './errors.ts'
import type { Clock } from './time/clock.ts'

/** How long a command may take, and the signal that tells the store when that is over; made only if the store looks. */
export class CommandDeadline {
  #controller: AbortController | undefined
  #over: { readonly reason: unknown } | undefined

  get signal(): Signal {
    this.#controller ??= new AbortController()
    if (this.#over) this.#controller.abort(this.#over.reason)
    return this.#controller.signal
  }

  expire(reason: unknown): void {
    this.#over = { reason }
    this.#controller?.abort(reason)
  }
}

/**
 * Sends one command to a store, and waits for the answer until `limitMs` have passed or `signal` aborts.
 *
 * A late answer goes to `onLate`, which may have to undo it. Rejects with a `StoreError` if the store throws or misses the
 * deadline, and with the reason of `signal` if that aborts.
 */
export function ask<Answer>(
  what: string,
  limitMs: number,
  clock: Clock,
  command: (deadline: CommandDeadline) => Answer | PromiseLike<Answer>,
  onLate: (answer: Answer) => void = () => {},
  signal?: Signal,
): Answer | Promise<Answer> {
  const deadline = new CommandDeadline()
  let answer: Answer | PromiseLike<Answer>
  try {
    answer = command(deadline)
  } catch (error) {
    throw asStoreError(what, error)
  }
  if (!isPromiseLike(answer)) return answer
  const pending = answer
  return new Promise((resolve, reject) => {
    let late = false
    const stop = () => {
      clock.clearTimer(timer)
      stopListening()
    }
    const giveUp = (reason: unknown) => {
      stop()
      late = true
      deadline.expire(reason)
      reject(reason)
    }
    const timer = clock.setTimer(
      () => giveUp(new StoreError(`${what} was not answered within ${Math.round(limitMs)} ms`)),
      limitMs,
    )
    const stopListening = listen(signal, () => giveUp(signal?.reason))
    pending.then(
      (value) => {
        if (late) return onLate(value)
        stop()
        resolve(value)
      },
      (error: unknown) => {
        stop()
        reject(asStoreError(what, error))
      },
    )
  })
}

function asStoreError(what: string, error: unknown): StoreError {
  return isStoreError(error) ? error : new StoreError(`${what} failed`, { cause: error })
}

export function isPromiseLike<Value>(value: Value | PromiseLike<Value>): value is PromiseLike<Value> {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'then') === 'function'
}
