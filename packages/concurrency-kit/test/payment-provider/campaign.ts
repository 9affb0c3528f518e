import { pick } from '../crash-matrix/plan.ts'
import { MOMENTS, type Moment } from '../crash-matrix/points.ts'
import type { Mode } from './payer.ts'
import { type Place, Street } from './street.ts'

/** A statement: on the line to the provider, on that to the records, or one that the payer alone knows of. */
export interface Heard {
  readonly at: 'provider' | 'records' | 'payer'
  /** Counted from 0 there. */
  readonly statement: number
  readonly text: string
}

/** Who is killed, and where. */
export interface Plan extends Heard {
  readonly victim: 'payer' | 'provider'
  readonly moment: Moment
}

export interface CampaignOptions {
  readonly place: Place
  readonly mode: Mode
  /** How many of the points, evenly spread. @defaultValue all */
  readonly runs?: number
  /** Whether another payer has vanished before, at the worst moment. */
  readonly vanished?: boolean
  /** Whether the provider sees another key with every request. */
  readonly freshKeys?: boolean
}

export interface Tally {
  /** In which somebody was killed. */
  runs: number
  readonly statements: readonly string[]
  readonly violations: string[]
}

/** Each has a provider of its own; more than the machine has cores, as they wait for leases. */
const STREETS = 4

/**
 * Looks at what a payment sends, then lets the payer be killed around each statement of it, and the provider around each of
 * those that it is sent.
 */
export async function campaign(options: CampaignOptions): Promise<Tally> {
  const streets = await Promise.all(Array.from({ length: STREETS }, () => Street.open(options)))
  try {
    const heard = await (streets[0] as Street).look()
    const plans = plansOf(heard)
    const queue = pick(plans, options.runs ?? plans.length)
    const tally: Tally = { runs: 0, statements: heard.map(({ text }) => text), violations: [] }
    const live = async (street: Street) => {
      for (let plan = queue.shift(); plan !== undefined; plan = queue.shift()) {
        const { victim, moment, text } = plan
        const { hit, violations } = await street.pay(plan)
        if (hit) tally.runs += 1
        tally.violations.push(...violations.map((each) => `${victim} killed ${moment} ${text}: ${each}`))
      }
    }
    await Promise.all(streets.map(live))
    return tally
  } finally {
    await Promise.all(streets.map((street) => street.close()))
  }
}

function plansOf(heard: readonly Heard[]): Plan[] {
  // The tables are there.
  const some = heard.filter(({ text }) => !text.startsWith('CREATE'))
  return some.flatMap((each) => {
    const victims = each.at === 'provider' ? (['payer', 'provider'] as const) : (['payer'] as const)
    return momentsOf(each).flatMap((moment) => victims.map((victim) => ({ ...each, victim, moment })))
  })
}

function momentsOf({ at, statement }: Heard): readonly Moment[] {
  if (at === 'payer') return ['before', 'after']
  // Before the second half of a message is after the first.
  return at === 'provider' && statement % 2 === 1 ? ['sent', 'after'] : MOMENTS
}
