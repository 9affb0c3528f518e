import { randomUUID } from 'node:crypto'
import type { Signal } from '../abort.ts'
import {
  AmbiguousOutcomeError,
  FingerprintMismatchError,
  IdempotencyInProgressError,
  isAmbiguousOutcomeError,
  LeaseLostError,
} from '../errors.ts'
import { events } from '../events.ts'
import { shown } from '../options.ts'
import { ask } from '../store-command.ts'
import { backoffMs, pause } from '../time/backoff.ts'
import { type Instant, now, systemEnvironment } from '../time/clock.ts'
import { RenewedLease, trustedMs } from '../time/renewed-lease.ts'
import type { CheckedRun, Probe } from './idempotency-options.ts'
import type {
  ClaimRequest,
  ClaimResult,
  LeasedIdempotencyStore,
  OwnedRequest,
  Settlement,
} from './idempotency-store.ts'
import { settle } from './settlement.ts'
import type { Settled } from './transactional-run.ts'

export interface LeasedContext {
  /** Aborts when the claim can no longer be trusted, and when the caller's signal does. */
  readonly signal: Signal
  /** @throws LeaseLostError the claim may be another's by now. */
  assertOwned(): void
  /** To be handed on to whoever keeps idempotency keys too, such as a payment provider. */
  readonly idempotencyKey: string
  /** Which claim of the record this is, from 1; above 1 a former owner vanished, perhaps after its effect. */
  readonly attempt: number
}

/** Longest time that a command of a leased store may take. */
const COMMAND_MS = 2_000
const POLL = { baseMs: 10, capMs: 250 }

/** Claims the key, runs the handler while the claim is renewed, and completes the record. */
export async function runLeased<Result>(
  store: LeasedIdempotencyStore,
  run: CheckedRun<Result>,
  { onAmbiguous, leaseMs }: { onAmbiguous: 'rerun' | 'refuse' | Probe<Result>; leaseMs: number },
  handler: (context: LeasedContext) => Result | PromiseLike<Result>,
): Promise<Settled> {
  const { key, scope, signal, retentionMs, fingerprint, payload } = run
  const owner = randomUUID()
  const owned: OwnedRequest = { key, scope, owner }
  const takeOver = onAmbiguous !== 'refuse'
  const claim = { ...owned, fingerprint, payload, leaseMs, retentionMs, takeOver }
  const got = await waitForClaim(store, claim, run)
  if ('settlement' in got) return { ...got, replayed: true, attempts: 0 }
  const { attempt, sentAt } = got
  if (attempt > 1 && events.idempotency.takenOver.hasSubscribers) {
    events.idempotency.takenOver.publish({ store: store.name, scope, key, attempt })
  }
  const work = new OwnedWork(store, owned, leaseMs, sentAt, signal)
  let settlement: Settlement
  const probing = attempt > 1 && typeof onAmbiguous === 'function'
  // As long as the probe has not answered it is unknown what the vanished owner did; once there is a result, the effect stands.
  let mayStand = probing
  try {
    const probed = probing ? await (onAmbiguous as Probe<Result>)({ key, scope, signal }) : { found: false as const }
    if (typeof probed?.found !== 'boolean')
      throw new TypeError(
        `onAmbiguous must give { found: true, result } or { found: false }, but gave ${shown(probed)}`,
      )
    mayStand = false
    const context = { signal: work.signal, assertOwned: () => work.assertOwned(), idempotencyKey: key, attempt }
    settlement = await settle(run, async () => {
      const result = probed.found ? probed.result : await handler(context)
      mayStand = true
      return result
    })
  } catch (error) {
    // A request that the signal has ended may have been sent.
    const wasEnded = work.signal.aborted && error === work.signal.reason
    work.stop()
    void giveUp(mayStand || wasEnded || isAmbiguousOutcomeError(error) ? 'renew' : 'abandon', store, owned)
    throw error
  }
  await work.complete({ ...settlement, retentionMs })
  return { settlement, replayed: false, attempts: attempt }
}

/** Asks for the claim until it is granted, the record is complete, or the wait is over. */
async function waitForClaim<Result>(
  store: LeasedIdempotencyStore,
  claim: ClaimRequest,
  { key, fingerprint, waitMs, signal }: CheckedRun<Result>,
): Promise<{ settlement: Settlement } | { attempt: number; sentAt: Instant }> {
  const { clock, random } = store.environment ?? systemEnvironment
  const enteredAtMs = clock.monotonicMs()
  for (let asked = 1; ; asked += 1) {
    signal?.throwIfAborted()
    const { answer, sentAt } = await askForClaim(store, claim)
    if (answer.status === 'claimed') return { attempt: answer.attempt, sentAt }
    // A run of another payload may fail and leave nothing: until then it refuses nobody.
    if (answer.status !== 'in_progress') {
      const recorded = answer.status === 'completed' ? answer.record.fingerprint : answer.fingerprint
      if (recorded !== fingerprint) throw new FingerprintMismatchError(key)
      if (answer.status === 'completed') return { settlement: answer.record }
      throw new AmbiguousOutcomeError(key, 'whoever ran it vanished before it was completed')
    }
    const leftMs = waitMs - (clock.monotonicMs() - enteredAtMs)
    if (leftMs <= 0)
      throw new IdempotencyInProgressError(key, `another process runs it, and did not end within ${waitMs} ms`)
    const pollMs = 1 + backoffMs(POLL, asked, random)
    await pause(Math.min(pollMs, leftMs, (answer.freeInMs ?? pollMs) + 1), clock, signal)
  }
}

/** Asks, and once more where the answer was lost: the same owner is granted again what it has. */
async function askForClaim(
  store: LeasedIdempotencyStore,
  claim: ClaimRequest,
): Promise<{ answer: ClaimResult; sentAt: Instant }> {
  const { clock } = store.environment ?? systemEnvironment
  const limitMs = Math.min(COMMAND_MS, trustedMs(claim.leaseMs))
  for (let asked = 1; ; asked += 1) {
    const sentAt = now(clock)
    try {
      const answer = await ask(`claim of ${store.name}`, limitMs, clock, ({ signal }) =>
        store.claim({ ...claim, signal }),
      )
      return { answer, sentAt }
    } catch (error) {
      if (asked === 1) continue
      // It may have been granted in the place of an owner that vanished: then whoever comes next must be told of that.
      void giveUp(claim.takeOver ? 'renew' : 'abandon', store, claim)
      throw error
    }
  }
}

/** Abandons the claim, or ends its lease now (`renew`). Best effort: what the store does not hear of expires, and is then ambiguous. */
async function giveUp(
  verb: 'abandon' | 'renew',
  store: LeasedIdempotencyStore,
  { key, scope, owner }: OwnedRequest,
): Promise<void> {
  const { clock } = store.environment ?? systemEnvironment
  try {
    await ask(`${verb} of ${store.name}`, COMMAND_MS, clock, ({ signal }) =>
      store[verb]({ key, scope, owner, leaseMs: 1, signal }),
    )
  } catch (error) {
    if (events.idempotency.failed.hasSubscribers) {
      events.idempotency.failed.publish({ store: store.name, scope, key, error })
    }
  }
}

/** A claim while its handler runs. */
class OwnedWork {
  readonly #store: LeasedIdempotencyStore
  readonly #owned: OwnedRequest
  readonly #lease: RenewedLease
  readonly #controller = new AbortController()
  readonly #callerSignal: Signal | undefined
  #lost: LeaseLostError | undefined

  constructor(
    store: LeasedIdempotencyStore,
    owned: OwnedRequest,
    leaseMs: number,
    sentAt: Instant,
    signal: Signal | undefined,
  ) {
    this.#store = store
    this.#owned = owned
    this.#callerSignal = signal
    const { clock } = store.environment ?? systemEnvironment
    this.#lease = new RenewedLease({
      clock,
      leaseMs,
      sentAt,
      extend: async (limitMs) =>
        ask(`renew of ${store.name}`, Math.min(COMMAND_MS, limitMs), clock, (deadline) =>
          store.renew({ ...owned, leaseMs, signal: deadline.signal }),
        ),
      onLost: (why, cause) => {
        this.#lost = new LeaseLostError(owned.key, why, cause === undefined ? {} : { cause })
        this.#controller.abort(this.#lost)
      },
    })
  }

  get signal(): Signal {
    const own = this.#controller.signal
    return this.#callerSignal === undefined ? own : AbortSignal.any([own, this.#callerSignal])
  }

  assertOwned(): void {
    this.#lease.check()
    if (this.#lost !== undefined) throw this.#lost
  }

  stop(): void {
    this.#lease.stop()
  }

  /**
   * Stores the settlement while the claim is this owner's; the store decides, so a claim that seemed lost may still do.
   *
   * @throws AmbiguousOutcomeError the effect happened, and the record could not say so.
   */
  async complete(settlement: Settlement & { readonly retentionMs: number }): Promise<void> {
    const { clock } = this.#store.environment ?? systemEnvironment
    const { key } = this.#owned
    for (let asked = 1; ; asked += 1) {
      try {
        const completed = await ask(`complete of ${this.#store.name}`, COMMAND_MS, clock, ({ signal }) =>
          this.#store.complete({ ...this.#owned, ...settlement, signal }),
        )
        this.stop()
        if (completed) return
        throw new AmbiguousOutcomeError(
          key,
          'its claim was taken over while the handler ran; the successor’s record stands',
          {
            cause: this.#lost,
          },
        )
      } catch (error) {
        if (error instanceof AmbiguousOutcomeError) throw error
        if (this.#lost !== undefined || asked === 10) {
          this.stop()
          throw new AmbiguousOutcomeError(key, 'the handler ran, but its result could not be stored', { cause: error })
        }
        await pause(Math.min(250, 10 * 2 ** asked), clock)
      }
    }
  }
}
