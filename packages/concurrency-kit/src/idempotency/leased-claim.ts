import type { Signal } from '../abort.ts'
import { AmbiguousOutcomeError, FingerprintMismatchError, IdempotencyInProgressError } from '../errors.ts'
import { events } from '../events.ts'
import { ask } from '../store-command.ts'
import { backoffMs, pause } from '../time/backoff.ts'
import { type Instant, now, systemEnvironment } from '../time/clock.ts'
import { trustedMs } from '../time/renewed-lease.ts'
import type { CheckedRun } from './idempotency-options.ts'
import type {
  ClaimRequest,
  ClaimResult,
  LeasedIdempotencyStore,
  OwnedRequest,
  Settlement,
} from './idempotency-store.ts'

/** Deadline of each command of a leased store, in ms. */
export const COMMAND_MS = 2_000
const POLL = { baseMs: 10, capMs: 250 }

/** Asks for the claim until it is granted, the record is complete, or the wait is over. */
export async function waitForClaim<Result>(
  store: LeasedIdempotencyStore,
  claim: ClaimRequest,
  { key, fingerprint, waitMs, signal }: CheckedRun<Result>,
): Promise<{ settlement: Settlement } | { attempt: number; sentAt: Instant }> {
  const { clock, random } = store.environment ?? systemEnvironment
  const enteredAtMs = clock.monotonicMs()
  for (let asked = 1; ; asked += 1) {
    signal?.throwIfAborted()
    const { answer, sentAt } = await askForClaim(store, claim, signal)
    if (answer.status === 'claimed') return { attempt: answer.attempt, sentAt }
    // A run in progress rejects no other payload: it may fail and leave no record.
    if (answer.status !== 'in_progress') {
      const recorded = answer.status === 'completed' ? answer.record.fingerprint : answer.fingerprint
      if (recorded !== fingerprint) throw new FingerprintMismatchError(key)
      if (answer.status === 'completed') return { settlement: answer.record }
      throw new AmbiguousOutcomeError(key, 'an earlier run crashed or failed, and its effect may have happened')
    }
    const leftMs = waitMs - (clock.monotonicMs() - enteredAtMs)
    if (leftMs <= 0)
      throw new IdempotencyInProgressError(key, `another process runs it, and did not end within ${waitMs} ms`)
    const pollMs = 1 + backoffMs(POLL, asked, random)
    await pause(Math.min(pollMs, leftMs, (answer.freeInMs ?? pollMs) + 1), clock, signal)
  }
}

/** Sends the claim, and repeats it once after a failure: a store grants the same owner its claim again. */
async function askForClaim(
  store: LeasedIdempotencyStore,
  claim: ClaimRequest,
  callers: Signal | undefined,
): Promise<{ answer: ClaimResult; sentAt: Instant }> {
  const { clock } = store.environment ?? systemEnvironment
  const limitMs = Math.min(COMMAND_MS, trustedMs(claim.leaseMs))
  for (let asked = 1; ; asked += 1) {
    const sentAt = now(clock)
    try {
      const command = ({ signal }: { readonly signal: Signal }) => store.claim({ ...claim, signal })
      const answer = await ask(`claim of ${store.name}`, limitMs, clock, command, undefined, callers)
      return { answer, sentAt }
    } catch (error) {
      if (asked === 1 && callers?.aborted !== true) continue
      // The claim may have taken over from a vanished owner. `abandon` would hide that from the next caller.
      void giveUp(claim.takeOver ? 'renew' : 'abandon', store, claim)
      throw error
    }
  }
}

/** Abandons the claim, or ends its lease now (`renew`). Best effort: if the command is lost, the claim expires and is ambiguous. */
export async function giveUp(
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
