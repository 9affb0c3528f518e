/**
 * What SQLite and Postgres say differently, for statements written with `?`.
 *
 * Every expression of time is the database's own clock.
 */
export interface Dialect {
  readonly name: 'sqlite' | 'postgres'
  /** Whether the database is reached over a line that may hang: its commands have deadlines. */
  readonly remote: boolean
  /** The clock as a whole number of ms since the Unix epoch. */
  readonly nowMs: string
  /** The clock as it is kept in columns that people read. */
  readonly now: string
  /** {@link Dialect.now} that many ms from now; its binding is {@link Dialect.laterBy}. */
  readonly later: string
  laterBy(ms: number): string | number
  /** A binding that is to be a whole number of up to 64 bits. */
  readonly integer: string
  /** Condition on a column, that it is in a list that is one binding; undefined where a statement for each costs no more. */
  readonly inList: string | undefined
  /** The function that gives the largest of its arguments. */
  readonly greatest: 'max' | 'greatest'
  /** Types of columns in `CREATE TABLE`. */
  readonly types: { readonly bigint: string; readonly time: string }
  /** Statements that make tables, as they are to be sent when several processes do so at the same time. */
  schema(statements: readonly string[]): readonly string[]
  /** Whether leases need a pool of their own, because a pool is one connection and a transaction has it to itself. */
  readonly leasesApart: boolean
  /** Statement before a claim that bounds its wait for a rival by `waitMs`; undefined if claims never wait. */
  boundWait(waitMs: number): string | undefined
  /** What a claim returns, which ends {@link Dialect.boundWait}; it fails where that was not said in the same transaction. */
  readonly unboundWait: string
  /** Condition that the row was written by this very transaction, where the database can tell. */
  readonly ownRow: string
  /** What a claim has met that failed with `error`; undefined: a failure of the database. */
  claimMet(error: unknown): 'busy' | 'in_progress' | 'retry' | undefined
  /**
   * Deletes a batch of the rows that have expired, through the index on the expiry: never a scan of the whole table.
   *
   * Binds the expiry to begin at, where there is a {@link Dialect.firstExpiry}, and the most rows. Gives back `deleted`, in a
   * row each or as a count with the `last_expiry`.
   */
  purge(table: string, expiresAt: string): string
  /** Comes before every expiry; undefined where each purge finds the first row at once. */
  readonly firstExpiry: string | undefined
  /** Suffix of a SELECT that locks its rows until the transaction ends; empty if every transaction locks the whole database. */
  readonly lockedRead: '' | ' FOR UPDATE'
  /** Expressions, as text, of a row that differ once it was written; absent where the database has none. */
  readonly versions: Readonly<Partial<Record<'xmin' | 'content', (table: string) => string>>>
}
