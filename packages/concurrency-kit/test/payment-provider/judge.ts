import type { Outcome } from './payer.ts'

export interface Evidence {
  /** The ids of what the provider has charged. */
  readonly charged: readonly string[]
  /** What everybody was told, in order. */
  readonly outcomes: readonly Outcome[]
  /** The stored result. */
  readonly record: string | undefined
}

/** What is not as it must be, a line for each. */
export function judge({ charged, outcomes, record }: Evidence): string[] {
  const violations = charged.length === 1 ? [] : [`charged ${charged.length} times`]
  const last = outcomes.at(-1)
  if (last?.status !== 'paid') violations.push(`never paid: ${JSON.stringify(last)}`)
  // It has waited more than twice the lease.
  for (const outcome of outcomes)
    if (outcome.status === 'told' && outcome.what.includes('IdempotencyInProgressError')) violations.push('a stuck key')
  const answers = outcomes.flatMap((outcome) => (outcome.status === 'paid' ? [outcome.answer] : []))
  for (const answer of new Set([...answers, record ?? 'no record']))
    if (!charged.some((id) => answer.includes(id))) violations.push(`${answer} is no answer`)
  if (new Set(answers).size > 1) violations.push(`${new Set(answers).size} different answers`)
  return violations
}
