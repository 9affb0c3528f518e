import type { Gathering } from '../one-write.ts'
import type { PgConnection } from '../sql/connection.ts'

export interface PgQuery {
  text: string
  name?: string | undefined
  // biome-ignore lint/suspicious/noExplicitAny: as pg types it
  values?: any[]
  /** Parsers for the columns of the rows. @defaultValue the client's own */
  // biome-ignore lint/suspicious/noExplicitAny: as pg types it
  types?: any
}

export interface PgResult {
  // biome-ignore lint/suspicious/noExplicitAny: as pg types it
  rows: any[]
  /** The command tag, such as `COMMIT`. */
  command: string
}

/** What the stores use of a client in a transaction of the caller's; a pool is none. */
export interface PgStatements {
  query(query: PgQuery): Promise<PgResult>
  readonly totalCount?: never
}

/** What the stores use of a client out of a pool. */
export interface PgPoolClient extends PgStatements, PgConnection {
  /** Whether it sends a query before the one in front of it is answered, as a client with `pipeline: true` does. */
  readonly pipeline?: boolean
  readonly connection?: { readonly stream?: Gathering }
  /** With true the connection is dropped. */
  release(destroy?: boolean): void
}

/** What the stores use of the caller's pool: never ended and never configured here. */
export interface PgPool {
  connect(): Promise<PgPoolClient>
}

/** The caller's own type of client, as its pool gives it. */
export type PgClientOf<Pool> = Pool extends {
  connect(): Promise<infer Client>
  // biome-ignore lint/suspicious/noExplicitAny: pg's other way to call it
  connect(callback: (...args: any[]) => void): void
}
  ? Client
  : Pool extends { connect(): Promise<infer Client> }
    ? Client
    : never
