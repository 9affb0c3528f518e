import { StoreError } from '../errors.ts'
import type { Row, Statement } from '../sql/database.ts'
import { type Loan, overriding, refuseToRelease } from '../sql/loan.ts'

const LENT = Symbol('lent')

/** The part of better-sqlite3's `Statement` that the kit uses. */
interface SqliteStatement {
  readonly reader: boolean
  safeIntegers(toggle: boolean): SqliteStatement
  all(bindings: readonly unknown[]): unknown[]
  run(bindings: readonly unknown[]): unknown
  iterate(...bindings: readonly unknown[]): Iterator<unknown>
}

/** The part of better-sqlite3's `Database` that the kit uses, with Knex's marks on it. */
export interface SqliteConnection {
  readonly inTransaction: boolean
  prepare(sql: string): SqliteStatement
  exec(sql: string): unknown
  __knex__disposed?: unknown
  __knexTxId?: unknown
  /** Of the connection that a handler has: the one behind it. */
  readonly [LENT]?: { readonly connection: SqliteConnection; readonly loan: Loan }
}

type Prepared = Map<string, SqliteStatement>
const ofConnections = new WeakMap<SqliteConnection, { readonly own: Prepared; readonly callers: Prepared }>()

/**
 * Runs one statement synchronously; it is prepared once per connection. The kit's own statements return plain numbers, statements
 * on the caller's rows follow the connection's `safeIntegers`.
 */
export function runOn(connection: SqliteConnection, { sql, bindings, callersRows }: Statement): Row[] {
  const lent = connection[LENT]
  const refused = lent?.loan.refusal(sql)
  if (refused !== undefined) throw refused
  const statement = prepared(lent?.connection ?? connection, sql, callersRows === true)
  const values = bindings.map(bound)
  if (statement.reader) return statement.all(values) as Row[]
  statement.run(values)
  return []
}

/** Runs one statement without bindings or rows, such as `SAVEPOINT`, and keeps nothing of it: its text does not come again. */
export function runOnce(connection: SqliteConnection, { sql }: Statement): Row[] {
  connection.exec(sql)
  return []
}

/** Converts a binding as Knex does: SQLite has neither booleans nor times. */
function bound(value: unknown): unknown {
  if (typeof value === 'boolean') return Number(value)
  return value instanceof Date ? value.valueOf() : value
}

function prepared(connection: SqliteConnection, sql: string, callersRows: boolean): SqliteStatement {
  const ofConnection = ofConnections.get(connection) ?? { own: new Map(), callers: new Map() }
  ofConnections.set(connection, ofConnection)
  const statements = callersRows ? ofConnection.callers : ofConnection.own
  const known = statements.get(sql)
  if (known !== undefined) return known
  const statement = callersRows ? connection.prepare(sql) : connection.prepare(sql).safeIntegers(false)
  statements.set(sql, statement)
  return statement
}

/** The connection for a handler: it cannot begin or end a transaction, and refuses statements once SQLite has ended it. */
export function guardedConnection(connection: SqliteConnection, loan: Loan): SqliteConnection {
  const unlessRefused =
    <Answer>(send: (sql: string) => Answer) =>
    (sql: string): Answer => {
      const refused = loan.refusal(sql) ?? endedEarly(connection)
      if (refused !== undefined) throw refused
      return send(sql)
    }
  return overriding(connection, {
    prepare: unlessRefused((sql) => closedAtEnd(connection.prepare(sql), loan)),
    exec: unlessRefused((sql) => connection.exec(sql)),
    close: refuseToRelease,
    [LENT]: { connection, loan },
  })
}

/** SQLite can neither commit nor roll back while a statement still has rows to give. */
function closedAtEnd(statement: SqliteStatement, loan: Loan): SqliteStatement {
  const { iterate } = statement
  statement.iterate = (...bindings) => {
    const rows = Reflect.apply(iterate, statement, bindings)
    loan.atEnd(() => rows.return?.())
    return rows
  }
  return statement
}

/** A conflict clause or trigger with ROLLBACK makes SQLite end the transaction; later statements would commit on their own. */
export function endedEarly(connection: SqliteConnection): StoreError | undefined {
  if (connection.inTransaction) return undefined
  return new StoreError('the transaction was rolled back by one of its statements (OR ROLLBACK, or RAISE(ROLLBACK))')
}
