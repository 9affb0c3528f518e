/** Lease, in ms; a stop is twice as long. */
export const TTL_MS = 600
export const HOUR_MS = 3_600_000

export const STORES = ['ioredis', 'knex on Postgres', 'knex on SQLite'] as const
export type StoreName = (typeof STORES)[number]

/** What happens to the holder, or to a clock. */
export type Event =
  | 'stall'
  | 'SIGSTOP'
  | 'suspend'
  | 'wall +1 h'
  | 'wall -1 h'
  | 'wall -1 h, stall'
  | 'server +1 h'
  | 'server -1 h'

export interface Role {
  readonly is: 'holder' | 'rival'
  readonly store: StoreName
  /** A URL, or the file of SQLite. */
  readonly where: string
  /** A SQLite file with what is written under the lock. */
  readonly registers: string
  readonly key: string
}
