import { randomUUID } from 'node:crypto'
import { listen, type Signal } from '../abort.ts'
import { AmbiguousOutcomeError, isAmbiguousOutcomeError, isNoEffectError, LeaseLostError } from '../errors.ts'
import { events } from '../events.ts'
import { shown } from '../options.ts'
import { ask } from '../store-command.ts'
import { pause } from '../time/backoff.ts'
import { type Instant, systemEnvironment } from '../time/clock.ts'
import { RenewedLease } from '../time/renewed-lease.ts'
import type { CheckedRun, LeasedOptions, Probe } from './idempotency-options.ts'
import type { LeasedIdempotencyStore, OwnedRequest, Settlement } from './idempotency-store.ts'
import { COMMAND_MS, giveUp, waitForClaim } from './leased-claim.ts'
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

/** Claims the key, runs the handler while the claim is renewed, and completes the record. */
export async function runLeased<Result>(
  store: LeasedIdempotencyStore,
  run: CheckedRun<Result>,
  {
    onAmbiguous,
    leaseMs,
    hadNoEffect,
  }: Required<Pick<LeasedOptions<Result>, 'onAmbiguous' | 'leaseMs' | 'hadNoEffect'>>,
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
  // Whether an effect may stand: that of the vanished owner until the probe has answered, then that of this handler.
  let mayStand = probing
  let thrown: { readonly error: unknown } | undefined
  try {
    const probed = probing ? await (onAmbiguous as Probe<Result>)({ key, scope, signal }) : { found: false as const }
    if (typeof probed?.found !== 'boolean')
      throw new TypeError(
        `onAmbiguous must give { found: true, result } or { found: false }, but gave ${shown(probed)}`,
      )
    mayStand = false
    const context = { signal: work.signal, assertOwned: () => work.assertOwned(), idempotencyKey: key, attempt }
    settlement = await settle(run, async () => {
      mayStand = true
      if (probed.found) return probed.result
      try {
        return await handler(context)
      } catch (error) {
        thrown = { error }
        throw error
      }
    })
  } catch (error) {
    work.stop()
    try {
      // The handler may have sent its request before the signal ended it.
      const wasEnded = work.signal.aborted && thrown?.error === work.signal.reason
      if (thrown !== undefined && !wasEnded) mayStand = !saysNoEffect(thrown.error, hadNoEffect)
    } finally {
      void giveUp(mayStand ? 'renew' : 'abandon', store, owned)
    }
    throw error
  }
  await work.complete({ ...settlement, retentionMs })
  return { settlement, replayed: false, attempts: attempt }
}

function saysNoEffect(error: unknown, hadNoEffect: (error: unknown) => boolean): boolean {
  if (isAmbiguousOutcomeError(error)) return false
  // Not merely truthy: an asynchronous function returns a promise, which is.
  return isNoEffectError(error) || hadNoEffect(error) === true
}

/** A claim while its handler runs. */
class OwnedWork {
  readonly #store: LeasedIdempotencyStore
  readonly #owned: OwnedRequest
  readonly #lease: RenewedLease
  readonly #controller = new AbortController()
  readonly #stopListening: () => void
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
    if (signal?.aborted) this.#controller.abort(signal.reason)
    this.#stopListening = listen(signal, () => this.#controller.abort(signal?.reason))
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

  /** Not from `AbortSignal.any`: the caller's signal would keep a reference to it for its whole life. */
  get signal(): Signal {
    return this.#controller.signal
  }

  assertOwned(): void {
    this.#lease.check()
    if (this.#lost !== undefined) throw this.#lost
  }

  stop(): void {
    this.#stopListening()
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
