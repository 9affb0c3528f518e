/**
 * What SQLite and Postgres say differently, for statements written with `?`.
 *
 * Every expression of time is the database's own clock.
 */
export interface Dialect {
  readonly name: 'sqlite' | 'postgres'
  /** The clock as a whole number of ms since the Unix epoch. */
  readonly nowMs: string
  /** The clock as it is kept in columns that people read. */
  readonly now: string
  /** {@link Dialect.now} that many ms from now; its binding is {@link Dialect.laterBy}. */
  readonly later: string
  laterBy(ms: number): string | number
  /** A binding that is to be a whole number of up to 64 bits. */
  readonly integer: string
  /** The function that gives the largest of its arguments. */
  readonly greatest: 'max' | 'greatest'
  /** Types of columns in `CREATE TABLE`. */
  readonly types: { readonly bigint: string; readonly time: string }
  /** Statements that make tables, as they are to be sent when several processes do so at the same time. */
  schema(statements: readonly string[]): readonly string[]
  /** Whether leases need a pool of their own, because a pool is one connection and a transaction has it to itself. */
  readonly leasesApart: boolean
}
