import type { Signal } from '../abort.ts'
import type { Dialect } from './dialect.ts'

export type Row = Record<string, unknown>

/** SQL with a `?` for each binding. */
export interface Statement {
  readonly sql: string
  readonly bindings: readonly unknown[]
  /** Whether the rows are of the caller's own table: only these pass through the settings of its client. */
  readonly callersRows?: boolean
}

export interface BeginRequest {
  /** Longest wait in ms for a rival's row by {@link OwnedTransaction.claim}. @defaultValue 0 */
  readonly waitMs?: number
  readonly signal?: Signal | undefined
}

/**
 * What the stores ask of a client of a database; the client is the caller's.
 *
 * Rejects with the client's own errors, or with a `StoreError` where a deadline was missed.
 */
export interface Database<Transaction, Inside = Transaction> {
  /** Of the client, such as `knex`. */
  readonly name: string
  readonly dialect: Dialect
  /**
   * Runs one statement in its own transaction; rejects as {@link Database.begin} if no connection is free. `signal` ends the wait
   * for a connection with its reason, but never a statement that was sent.
   */
  alone(what: string, statement: Statement, signal?: Signal): Promise<Row[]>
  /** One statement in a transaction that the caller has begun. */
  inside(transaction: Inside, what: string, statement: Statement): Promise<Row[]>
  /**
   * Rejects with a transient `StoreError` where nothing was begun and may be later: without a cause no connection was
   * free in time, with one the connection had broken.
   */
  begin(request: BeginRequest): Promise<OwnedTransaction<Transaction>>
}

/** The transaction that a handler gets. */
export interface Lent<Transaction> {
  readonly transaction: Transaction
  /** Called when the handler has settled: later statements are refused. Statements already sent run before the next one. */
  takeBack(): void
}

/** A transaction that only its owner can end, and that remembers which of its statements failed for a reason that passes. */
export interface OwnedTransaction<Transaction> {
  lend(): Promise<Lent<Transaction>>
  /** The first statement of a transaction on a key: it waits for a rival's no longer than was said at its beginning. */
  claim(what: string, statement: Statement): Promise<Row[]>
  rows(what: string, statement: Statement): Promise<Row[]>
  /** Runs a statement that has no bindings and returns no rows; it is never prepared. */
  run(what: string, sql: string): Promise<void>
  /**
   * Claims at once, the first statements of a transaction on many keys; where the client can send them together.
   *
   * @param unbound - What a claim by itself returns, to end what bounds its wait.
   */
  readonly claimAll?:
    | ((what: string, statements: readonly Statement[], unbound: string) => Promise<Row[][]>)
    | undefined
  /** The error of a statement of this transaction after which all of it must be run again. */
  passing(): unknown
  /** The first error of any of its statements. */
  failure(): unknown
  /** Never rejects. `last` are last statements: each must return one row, or nothing is committed. */
  commit(last?: readonly Statement[]): Promise<Committed>
  /** Never rejects, and does nothing where the transaction has ended. A connection that cannot roll back is of no use, and is dropped. */
  rollback(): Promise<void>
}

export type Committed =
  | { readonly status: 'committed' }
  /** Rolled back. `passes`: all of it may be run again. */
  | { readonly status: 'failed'; readonly passes: boolean; readonly cause: unknown }
  /** The COMMIT was not answered. */
  | { readonly status: 'ambiguous'; readonly cause: unknown }
