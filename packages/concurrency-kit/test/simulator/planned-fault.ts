import type { Chance } from './chance.ts'
import type { PlannedProcess } from './scenario.ts'

/** What happens to one process. */
export type ProcessFault = { readonly atMs: number; readonly forMs: number; readonly process: number } & (
  | { readonly kind: 'stall' | 'suspend' | 'die' | 'close' | 'wall stands still' }
  | { readonly kind: 'wall steps'; readonly byMs: number }
  | { readonly kind: 'cut'; readonly way: 'requests' | 'replies' | 'both' }
)

/** What happens to everybody. */
type CommonFault = { readonly atMs: number; readonly forMs: number; readonly process?: never } & (
  | { readonly kind: 'storm' | 'server stalls' | 'server restarts' | 'server forgets' }
  | { readonly kind: 'server clock steps'; readonly byMs: number }
)

export type PlannedFault = ProcessFault | CommonFault

const KINDS = [
  'stall',
  'stall',
  'stall',
  'wrong clock',
  'wrong clock',
  'die',
  'close',
  'cut',
  'cut',
  'storm',
  'server stalls',
  'server restarts',
  'server forgets',
  'server clock steps',
] as const

export function faultOf(
  chance: Chance,
  { processes, endMs, longestMs }: { processes: readonly PlannedProcess[]; endMs: number; longestMs: number },
): PlannedFault {
  const process = chance.whole(0, processes.length - 1)
  const when = { atMs: Math.floor(chance.between(0, endMs)), forMs: chance.whole(1, longestMs) }
  const kind = chance.oneOf(KINDS)
  switch (kind) {
    case 'stall':
    case 'die':
    case 'close':
      return { ...when, kind, process }
    case 'cut':
      return { ...when, kind, process, way: chance.oneOf(['requests', 'replies', 'both']) }
    case 'wrong clock':
      return { ...when, process, ...wrongClock(chance, processes[process]?.wrongClock ?? 'wall') }
    case 'server clock steps':
      return { ...when, kind, byMs: chance.whole(1, 500) }
    default:
      return { ...when, kind }
  }
}

function wrongClock(chance: Chance, which: PlannedProcess['wrongClock']) {
  if (chance.happens(0.2)) return { kind: 'wall steps', byMs: chance.oneOf([1, 50, 400]) } as const
  if (which === 'monotonic') return { kind: 'suspend' } as const
  if (chance.happens(0.3)) return { kind: 'wall stands still' } as const
  return { kind: 'wall steps', byMs: chance.oneOf([-3_600_000, -300, -20]) } as const
}
