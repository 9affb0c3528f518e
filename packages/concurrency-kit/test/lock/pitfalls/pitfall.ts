import type { LockStore } from '../../../src/lock/lock-store.ts'
import type { Environment } from '../../../src/time/clock.ts'
import type { LockStoreOnFaultyLine } from '../../support/faulty-lock-store.ts'

export const STORES = [
  'memory',
  'ioredis',
  'ioredis Cluster',
  'redlock',
  'knex SQLite',
  'knex Postgres',
  'pg advisory',
] as const

export type StoreName = (typeof STORES)[number]

/** Two processes with one backend between them. */
export interface Stage {
  /** A key of the test's own, and more of them. */
  readonly key: string
  keys(count: number): string[]
  /** The process that things go wrong for; a command of it has 500 ms. */
  readonly one: LockStoreOnFaultyLine
  readonly two: LockStore
  /** False where a lock ends with a connection, not with time. */
  readonly expires: boolean
  /** One more process; `environment` is what it takes for the time. */
  open(environment?: Environment): Promise<LockStore>
  /** The same on a faulty line. */
  openFaulty(environment?: Environment): Promise<LockStoreOnFaultyLine>
}

/** A fault that other libraries have, by its number in docs/pitfalls.md. */
export interface Pitfall {
  readonly number: string
  /** What is so here instead. */
  readonly title: string
  /** The stores on which it cannot happen, and why. */
  readonly not?: Partial<Record<StoreName, string>>
  readonly prove: (stage: Stage) => Promise<void>
}

/** The reason why a fault can happen on the given stores alone. */
export function onlyOn(stores: readonly StoreName[], reason: string): Partial<Record<StoreName, string>> {
  return Object.fromEntries(STORES.filter((store) => !stores.includes(store)).map((store) => [store, reason]))
}
