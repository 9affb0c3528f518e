import type { Lost } from './lose.ts'
import { type Event, HOUR_MS, type StoreName, TTL_MS } from './role.ts'

export interface LosingEvent {
  readonly name: Event
  readonly title: string
  /** Of the clock that leases end by. */
  readonly stepMs?: number
  /** Whether the lease lives on. */
  readonly keeps?: boolean
  /** Whether the store forgets the lease: then the older holder learns of it by its next renewal. */
  readonly forgets?: boolean
}

export const EVENTS: readonly LosingEvent[] = [
  { name: 'stall', title: 'event loop stalls for two leases' },
  { name: 'SIGSTOP', title: '`SIGSTOP` for two leases' },
  { name: 'suspend', title: 'suspend for two leases: the monotonic clock stands still' },
  { name: 'wall +1 h', title: 'holder’s wall clock steps an hour ahead' },
  { name: 'wall -1 h', title: 'holder’s wall clock steps an hour back', keeps: true },
  { name: 'wall -1 h, stall', title: 'holder’s wall clock steps an hour back, and then its event loop stalls' },
  { name: 'server +1 h', title: 'server’s clock steps an hour ahead', stepMs: HOUR_MS, forgets: true },
  { name: 'server -1 h', title: 'server’s clock steps an hour back', stepMs: -HOUR_MS, keeps: true },
]

/** A renewal is due after a third of the lease; the rest is for processes that the machine runs late. */
const MOST_OVERLAP_MS = TTL_MS / 3 + TTL_MS / 3 + 50

/** Whether it came as the documentation says. */
export function holds(
  { keeps = false, forgets = false }: LosingEvent,
  store: StoreName,
  lost: Lost | undefined,
): boolean {
  if (lost === undefined) return keeps
  const { heldMs, takenMs, aborted, written, lateWrite } = lost
  // On SQLite the clock is the holder's own as well, which it looks at.
  const mostMs = forgets && store !== 'knex on SQLite' ? MOST_OVERLAP_MS : 0
  return !keeps && heldMs - takenMs <= mostMs && aborted && written && !lateWrite
}
