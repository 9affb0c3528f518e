import type { Signal } from './abort.ts'
import { isStoreError, StoreError } from './errors.ts'
import type { Clock } from './time/clock.ts'

/** How long a command may take, and the signal that tells the store when that is over; made only if the store looks. */
export class CommandDeadline {
  #controller: AbortController | undefined
  #over: StoreError | undefined

  get signal(): Signal {
    this.#controller ??= new AbortController()
    if (this.#over) this.#controller.abort(this.#over)
    return this.#controller.signal
  }

  expire(error: StoreError): void {
    this.#over = error
    this.#controller?.abort(error)
  }
}

/**
 * Asks a store for one thing, and for no longer than `limitMs`.
 *
 * An answer that comes later goes to `onLate`: it may have to be undone. What the store throws arrives as a `StoreError`.
 */
export function ask<Answer>(
  what: string,
  limitMs: number,
  clock: Clock,
  command: (deadline: CommandDeadline) => Answer | PromiseLike<Answer>,
  onLate: (answer: Answer) => void = () => {},
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
    const timer = clock.setTimer(() => {
      late = true
      const error = new StoreError(`${what} was not answered within ${Math.round(limitMs)} ms`)
      deadline.expire(error)
      reject(error)
    }, limitMs)
    pending.then(
      (value) => {
        if (late) return onLate(value)
        clock.clearTimer(timer)
        resolve(value)
      },
      (error: unknown) => {
        clock.clearTimer(timer)
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
