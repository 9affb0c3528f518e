import { listen, type Signal } from '../abort.ts'
import { StoreError } from '../errors.ts'
import type { Clock } from '../time/clock.ts'

export interface Deadline {
  readonly limitMs: number
  readonly clock: Clock
  readonly signal?: Signal | undefined
  /** Called where the answer is no longer waited for. */
  readonly onOver?: () => void
}

/**
 * Waits for an answer for no longer than `limitMs`, nor longer than `signal` lets it; the answer itself may still come.
 *
 * @throws StoreError the limit was reached; or the signal's reason.
 */
export function answerOf<Answer>(what: string, answer: PromiseLike<Answer>, deadline: Deadline): Promise<Answer> {
  const { limitMs, clock, signal, onOver } = deadline
  return new Promise((resolve, reject) => {
    const stop = () => {
      clock.clearTimer(timer)
      stopListening()
    }
    const giveUp = (reason: unknown) => {
      stop()
      reject(reason)
      onOver?.()
    }
    const timer = clock.setTimer(
      () => giveUp(new StoreError(`${what} was not answered within ${Math.round(limitMs)} ms`)),
      limitMs,
    )
    const stopListening = listen(signal, () => giveUp(signal?.reason))
    answer.then(
      (value) => {
        stop()
        resolve(value)
      },
      (error: unknown) => {
        stop()
        reject(error)
      },
    )
    if (signal?.aborted) giveUp(signal.reason)
  })
}

/**
 * {@link answerOf} for a connection out of a pool; one that comes too late is given back.
 *
 * @throws StoreError none was free in time, `transient`: nothing has been done, and there may be room later.
 */
export function freeConnection<Connection>(
  what: string,
  connected: Promise<Connection>,
  giveBack: (connection: Connection) => unknown,
  deadline: Deadline,
): Promise<Connection> {
  let over = false
  const onOver = () => {
    over = true
    connected.then(giveBack).catch(() => {})
  }
  return answerOf(what, connected, { ...deadline, onOver }).catch((error) => {
    if (!over || deadline.signal?.aborted === true) throw error
    throw new StoreError(`${what}: no connection was free within ${Math.round(deadline.limitMs)} ms`, {
      transient: true,
    })
  })
}
