import type { Order } from './charge.ts'
import { type Heard, MOMENTS, type Moment, type Place } from './points.ts'

/** How a charge comes about. */
export interface Variant {
  readonly flow: Order['flow']
  /** Whether the key has a record that has expired. */
  readonly expired: boolean
  /** Whether the process has charged before: it is connected, and its statements are prepared. */
  readonly warm: boolean
  /** Whether another process charges under the same key at the same time. */
  readonly rival: boolean
}

export const VARIANTS: readonly Variant[] = [
  { flow: 'plain', expired: false, warm: false, rival: false },
  { flow: 'guarded', expired: false, warm: true, rival: false },
  { flow: 'guarded', expired: true, warm: false, rival: false },
  { flow: 'plain', expired: true, warm: true, rival: false },
  { flow: 'guarded', expired: false, warm: true, rival: true },
  { flow: 'plain', expired: true, warm: true, rival: true },
  { flow: 'plain', expired: false, warm: false, rival: true },
]

/**
 * What happens at a point. `swallow`: nothing is answered any more, and the connection stays up. `zombie`: the process stands
 * still (`SIGSTOP`), and what is on its way with it, until another one is done; then it goes on.
 */
export type Kind = 'SIGKILL' | 'cut' | 'terminate' | 'swallow' | 'zombie'

export interface Plan {
  readonly variant: Variant
  readonly kind: Kind
  readonly statement: number
  readonly moment: Moment
  readonly text: string
  readonly place: Place
  /** Whether the statement is the last of the charge. */
  readonly last: boolean
  /** After how many statements the rival begins. */
  readonly rivalAfter: number
}

/** Every point of a charge whose statements are known, with everything that can happen there. */
export function plansOf(
  variant: Variant,
  heard: readonly Heard[],
  kinds: readonly Kind[],
  moments: readonly Moment[] = MOMENTS,
): Plan[] {
  return heard.flatMap((each, statement) =>
    moments.flatMap((moment) =>
      kinds
        .filter((kind) => possible(kind, moment, each))
        .map((kind, index) => ({
          ...each,
          variant,
          kind,
          statement,
          moment,
          last: statement === heard.length - 1,
          // Anywhere before the point, and the same at every run of the command.
          rivalAfter: (7 * statement + 3 * index + moments.indexOf(moment)) % (statement + 1),
        })),
    ),
  )
}

export function possible(kind: Kind, moment: Moment, { text, place }: Heard): boolean {
  // What a provider does with a request that is lost is not the store's to answer for.
  if (place === 'provider')
    return (
      (kind === 'SIGKILL' && (moment === 'before' || moment === 'done')) || (kind === 'zombie' && moment === 'done')
    )
  // The handler's own statements are the handler's to bound.
  if (kind === 'swallow' && text.startsWith('UPDATE accounts')) return false
  if (kind === 'swallow' || kind === 'zombie') return moment === 'before' || moment === 'done'
  // Nobody has been told yet which backend it is.
  if (kind === 'terminate') return text !== 'connect' || moment === 'after'
  return true
}

/** So many of the plans, evenly spread; each as often as the others where there are fewer. */
export function pick<Point = Plan>(plans: readonly Point[], count: number): Point[] {
  if (plans.length === 0) return []
  return Array.from({ length: count }, (_, index) => {
    const at = count < plans.length ? Math.floor(((index + 0.5) * plans.length) / count) : index % plans.length
    return plans[at] as Point
  })
}
