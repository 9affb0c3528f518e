import { type EventChannel, events } from 'concurrency-kit'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Problem } from './http/problems.ts'

/** From tenths of a millisecond to beyond the lock's longest wait, in seconds. */
const durationBuckets = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30]

export interface Metrics {
  readonly contentType: string
  text(): Promise<string>
  /** Runs a charge, counting it while it runs and when it has succeeded. */
  watchCharge<Result>(charge: () => Promise<Result>): Promise<Result>
  refused(problem: Problem): void
  /** Ends the subscriptions: the kit's channels belong to the whole process. */
  close(): void
}

/** Prometheus metrics, fed by the kit's events and by the routes. */
export function openMetrics(): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const counter = (name: string, help: string) => new Counter({ name, help, registers })
  const histogram = (name: string, help: string) => new Histogram({ name, help, registers, buckets: durationBuckets })

  const lockWait = histogram('concurrency_kit_lock_wait_seconds', 'Time that callers waited for their lock')
  const lockHold = histogram('concurrency_kit_lock_hold_seconds', 'Time that sections held their lock')
  const handOffs = counter(
    'concurrency_kit_lock_handoffs_total',
    'Sections that ran under a lease this process already had',
  )
  const unavailable = counter('concurrency_kit_lock_unavailable_total', 'Callers that gave up waiting for a lock')
  const lost = counter('concurrency_kit_lock_lost_total', 'Leases that were lost while held')
  const completed = counter('concurrency_kit_idempotency_completed_total', 'Handlers that ran and were recorded')
  const transactions = counter(
    'concurrency_kit_idempotency_attempts_total',
    'Times a handler was started for a completed record',
  )
  const retries = counter('concurrency_kit_idempotency_retries_total', 'Attempts that were rolled back and rerun')
  const replays = counter('concurrency_kit_idempotency_replays_total', 'Stored results that were returned')
  const updates = counter('concurrency_kit_optimistic_updates_total', 'Rows that were stored')
  const updateAttempts = counter(
    'concurrency_kit_optimistic_attempts_total',
    'Compare-and-sets that were tried for a stored row',
  )
  const conflicts = counter('concurrency_kit_optimistic_conflicts_total', 'Compare-and-sets that met a newer version')
  const charges = counter('demo_charges_total', 'Charges that were answered with 200, replays included')
  const running = new Gauge({
    name: 'demo_charges_running',
    help: 'Charges that are being worked on or wait',
    registers,
  })
  const errors = new Counter({
    name: 'demo_errors_total',
    help: 'Answers that were no success, by code',
    labelNames: ['code', 'status'],
    registers,
  })

  const ends = [
    on(events.lock.acquired, ({ waitedMs, handedOff }) => {
      lockWait.observe(waitedMs / 1000)
      if (handedOff) handOffs.inc()
    }),
    on(events.lock.ended, ({ heldMs }) => lockHold.observe(heldMs / 1000)),
    on(events.lock.unavailable, () => unavailable.inc()),
    on(events.lock.lost, () => lost.inc()),
    on(events.idempotency.completed, ({ attempts }) => {
      completed.inc()
      transactions.inc(attempts)
    }),
    on(events.idempotency.retried, () => retries.inc()),
    on(events.idempotency.replayed, () => replays.inc()),
    on(events.optimistic.updated, ({ attempts }) => {
      updates.inc()
      updateAttempts.inc(attempts)
    }),
    on(events.optimistic.conflict, () => conflicts.inc()),
  ]
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    watchCharge: async (charge) => {
      running.inc()
      try {
        const result = await charge()
        charges.inc()
        return result
      } finally {
        running.dec()
      }
    },
    refused: ({ code, status }) => errors.inc({ code, status }),
    close: () => {
      for (const end of ends) end()
    },
  }
}

/** Subscribes, and returns the function that ends it. */
export function on<Message>(channel: EventChannel<Message>, listener: (message: Message) => void): () => void {
  channel.subscribe(listener)
  return () => channel.unsubscribe(listener)
}
