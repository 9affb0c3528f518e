import type { Mode, Order, Outcome } from './charge.ts'
import type { Seen } from './ledger.ts'
import type { Plan } from './plan.ts'

/** Everything that anybody has heard of a charge, and what is to be seen of it. */
export interface Evidence {
  readonly order: Order
  /** Of the process that something happened to, first. */
  readonly outcomes: readonly Outcome[]
  /** Of that process alone, where nobody else had charged before {@link Evidence.seenAtFault}. */
  readonly firstOutcome: Outcome | undefined
  /** When it had ended, or was stopped, and nobody had charged again. */
  readonly seenAtFault: Seen
  readonly seen: Seen
  /** Of leased stores. */
  readonly mode: Mode | undefined
  readonly plan: Plan | undefined
}

/** What may become of a call to which something happens. */
const KNOWN = ['STORE_ERROR', 'AMBIGUOUS_OUTCOME', 'IDEMPOTENCY_IN_PROGRESS', 'TRANSACTION_RETRIES', 'LEASE_LOST']

/** What is not as it must be, a line for each. */
export function judge(evidence: Evidence): string[] {
  const { order, outcomes, seen, mode } = evidence
  const violations: string[] = []
  const answers = new Set(outcomes.flatMap((outcome) => (outcome.status === 'answer' ? [outcome.answer.nonce] : [])))
  if (answers.size > 1) violations.push(`${answers.size} different answers`)
  for (const outcome of outcomes) {
    if (outcome.status === 'answer' && outcome.answer.account !== order.account) violations.push('an answer of old')
    if (outcome.status === 'error' && !KNOWN.includes(outcome.code)) violations.push(`told: ${outcome.message}`)
  }
  const last = outcomes.at(-1)
  const refused = mode === 'refuse' && last?.status === 'error' && last.code === 'AMBIGUOUS_OUTCOME'
  if (last?.status !== 'answer' && !refused)
    violations.push(`the key is stuck: ${last?.status === 'error' ? last.message : last?.status}`)
  violations.push(...(mode === undefined ? exactlyOnce(evidence) : asSaid(evidence, mode, answers.size > 0)))
  if (seen.record !== undefined && last?.status === 'answer' && seen.record !== JSON.stringify(last.answer))
    violations.push(`the answer was ${JSON.stringify(last.answer)}, the record is ${seen.record}`)
  return violations
}

/** Of transactional stores. */
function exactlyOnce({ seen, seenAtFault, firstOutcome }: Evidence): string[] {
  const violations = seen.charged === 1 ? [] : [`charged ${seen.charged} times`]
  const { charged = 0, record = '' } = seen.companion ?? {}
  if (charged > 1 || (charged === 1) !== (record !== ''))
    violations.push(`its companion was charged ${charged} times, and its record is ${record}`)
  // Whoever is told a failure other than that it is not known is told that nothing has happened.
  const told = firstOutcome?.status === 'error' && firstOutcome.code !== 'AMBIGUOUS_OUTCOME'
  if (told && seenAtFault.charged !== 0) violations.push(`charged, and told: ${firstOutcome.message}`)
  if (firstOutcome?.status === 'answer' && seenAtFault.charged !== 1) violations.push('answered, and not charged')
  return violations
}

/** Of leased stores: `rerun` is at least once, `refuse` at most once, and with a probe it is once. */
function asSaid({ seen, seenAtFault, firstOutcome, plan }: Evidence, mode: Mode, answered: boolean): string[] {
  const { charged } = seen
  const delivered = plan?.moment === 'done' || plan?.moment === 'after'
  const stored = plan?.last === true && !plan.variant.rival && delivered
  const completed = stored || firstOutcome?.status === 'answer'
  const most = mode === 'rerun' && seenAtFault.charged > 0 && !completed ? 2 : 1
  const least = mode === 'refuse' && !answered ? 0 : 1
  return charged >= least && charged <= most ? [] : [`charged ${charged} times under ${mode}`]
}
