import type { events } from '../../src/events.ts'

/** Causes by which attempts are run again, as a table shows them. */
export const CAUSES = ['40001', '40P01', 'stale version', 'shared attempt', 'no room', 'other', 'asked again'] as const

export type Cause = (typeof CAUSES)[number]

/** Counts attempts by what made them be run again, out of the kit's events alone. */
export class AttemptCounts {
  readonly byCause: Partial<Record<Cause, number>> = {}

  constructor({ idempotency, optimistic }: typeof events) {
    idempotency.retried.subscribe(({ cause }) => this.add(causeOf(cause)))
    idempotency.busy.subscribe(() => this.add('no room'))
    optimistic.conflict.subscribe(() => this.add('stale version'))
  }

  add(cause: Cause): void {
    this.byCause[cause] = (this.byCause[cause] ?? 0) + 1
  }
}

function causeOf(error: unknown): Cause {
  if (!(error instanceof Error)) return 'other'
  const code: unknown = Reflect.get(error, 'code')
  if (code === '40001' || code === '40P01') return code
  if (error.message.includes('shared the transaction')) return 'shared attempt'
  return error.cause === undefined ? 'other' : causeOf(error.cause)
}
