import diagnosticsChannel from 'node:diagnostics_channel'

/** A `node:diagnostics_channel` channel, typed; any subscriber may also reach it by its name. */
export interface EventChannel<Message> {
  readonly name: string
  readonly hasSubscribers: boolean
  publish(message: Message): void
  subscribe(listener: (message: Message, name: string) => void): void
  unsubscribe(listener: (message: Message, name: string) => void): boolean
}

function channel<Message>(name: string): EventChannel<Message> {
  return diagnosticsChannel.channel(`concurrency-kit:${name}`) as unknown as EventChannel<Message>
}

interface LockEvent {
  /** `name` of the store. */
  readonly store: string
  readonly key: string
}

interface IdempotencyEvent {
  readonly store: string
  readonly scope: string
  readonly key: string
}

interface OptimisticEvent {
  readonly store: string
  readonly id: unknown
}

/**
 * What the kit publishes while it works, one channel an event, named `concurrency-kit:<guard>:<event>`.
 *
 * Nobody subscribed: nothing is built and nothing is published. Listeners run synchronously in the caller's
 * asynchronous context; what they throw is reported as an uncaught exception by Node.js and reaches no guard.
 */
export const events = {
  lock: {
    /** A section is about to run. `handedOff`: under a lease that this process already had. */
    acquired: channel<LockEvent & { holder: string; fencingToken?: bigint; waitedMs: number; handedOff: boolean }>(
      'lock:acquired',
    ),
    /** A section has ended, by return or by throw; its lease was released or handed on. */
    ended: channel<LockEvent & { holder: string; heldMs: number; lost: boolean }>('lock:ended'),
    /** A caller gave up. `waitMs` over, its signal aborted, the store failed, or the store was closed. */
    unavailable: channel<LockEvent & { waitedMs: number; error: unknown }>('lock:unavailable'),
    /** A lease can no longer be trusted. */
    lost: channel<LockEvent & { holder: string; error: unknown }>('lock:lost'),
    /** A store command failed where no caller sees it: a renewal that is tried again, a release that is left to expiry. */
    commandFailed: channel<LockEvent & { command: 'tryAcquire' | 'extend' | 'release'; error: unknown }>(
      'lock:command-failed',
    ),
  },
  idempotency: {
    /** The handler ran, and its result is stored. `attempts`: how often it was started for that. */
    completed: channel<IdempotencyEvent & { attempts: number; durationMs: number }>('idempotency:completed'),
    /** A stored result was returned. `joined`: of a call that was running in this process. */
    replayed: channel<IdempotencyEvent & { joined: boolean }>('idempotency:replayed'),
    /** An attempt was rolled back and will be rerun. */
    retried: channel<IdempotencyEvent & { attempt: number; cause: unknown }>('idempotency:retried'),
    /** An attempt could not begin, as there was no room, such as in a file that another process writes; it will be tried again. */
    busy: channel<IdempotencyEvent & { cause: unknown }>('idempotency:busy'),
    /** The claim of an owner that vanished was taken over (leased stores). */
    takenOver: channel<IdempotencyEvent & { attempt: number }>('idempotency:taken-over'),
    /** The call rejected. */
    failed: channel<IdempotencyEvent & { error: unknown }>('idempotency:failed'),
  },
  optimistic: {
    /** A compare-and-set found another version than was read. */
    conflict: channel<OptimisticEvent & { expectedVersion: unknown; attempt: number }>('optimistic:conflict'),
    /** An attempt failed for a reason that passes, such as a busy database, and is repeated. */
    retried: channel<OptimisticEvent & { attempt: number; cause: unknown }>('optimistic:retried'),
    /** The row was stored. `locked`: under its row lock, after conflicts. */
    updated: channel<OptimisticEvent & { version: unknown; attempts: number; locked: boolean }>('optimistic:updated'),
    /** The call rejected. */
    failed: channel<OptimisticEvent & { attempts: number; error: unknown }>('optimistic:failed'),
  },
} as const

interface TracingChannel<Context extends object> {
  readonly hasSubscribers: boolean
  tracePromise<Result>(run: () => Promise<Result>, context: Context): Promise<Result>
}

function tracing<Context extends object>(name: string): TracingChannel<Context> {
  return diagnosticsChannel.tracingChannel(`concurrency-kit:${name}`) as TracingChannel<Context>
}

/** Tracing channels around each call as a whole, `tracing:concurrency-kit:<guard>:start` and so on: for spans. */
export const traces = {
  lock: tracing<{ store: string; key: string | readonly string[] }>('lock'),
  idempotency: tracing<IdempotencyEvent>('idempotency'),
  optimistic: tracing<OptimisticEvent>('optimistic'),
}

/** Runs `run` inside its tracing channel, or straight away when nobody listens. */
export function traced<Context extends object, Result>(
  trace: TracingChannel<Context>,
  context: () => Context,
  run: () => Promise<Result>,
): Promise<Result> {
  return trace.hasSubscribers ? trace.tracePromise(run, context()) : run()
}
