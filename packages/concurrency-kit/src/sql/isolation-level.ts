/** Those of Postgres: each of them is safe for records and versions, the higher ones run attempts again more often. */
export type IsolationLevel = 'read committed' | 'repeatable read' | 'serializable'

export const ISOLATION_LEVELS = ['read committed', 'repeatable read', 'serializable'] as const
