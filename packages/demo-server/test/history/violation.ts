export type ViolationKind =
  /** A key that was answered in two ways, or for two charges. */
  | 'two answers'
  /** An answer that is none to what was asked. */
  | 'wrong answer'
  /** Two charges began at the same balance. */
  | 'lost update'
  /** A balance rose by what no charge explains: one was done twice, or one that was refused. */
  | 'unexplained money'
  /** A balance was read that the account cannot have had. */
  | 'no such balance'
  /** One was answered before another was sent, and yet comes after it. */
  | 'order in time'
  /** The balance in the end is not the start and each key once. */
  | 'wrong sum'

export interface Violation {
  readonly kind: ViolationKind
  readonly user: number
  readonly message: string
  /** Of the history, from 1 on. */
  readonly lines: readonly number[]
}
