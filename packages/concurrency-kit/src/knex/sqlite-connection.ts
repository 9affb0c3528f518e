import { StoreError } from '../errors.ts'
import type { Row, Statement } from '../sql/database.ts'
import type { Loan } from '../sql/loan.ts'

/** What is used of a statement by better-sqlite3. */
interface SqliteStatement {
  readonly reader: boolean
  safeIntegers(toggle: boolean): SqliteStatement
  all(bindings: readonly unknown[]): unknown[]
  run(bindings: readonly unknown[]): unknown
  iterate(...bindings: readonly unknown[]): Iterator<unknown>
}

/** What is used of a connection by better-sqlite3. */
export interface SqliteConnection {
  readonly inTransaction: boolean
  prepare(sql: string): SqliteStatement
  exec(sql: string): unknown
  __knex__disposed?: unknown
  __knexTxId?: unknown
}

type Prepared = Map<string, SqliteStatement>
const ofConnections = new WeakMap<SqliteConnection, { readonly own: Prepared; readonly callers: Prepared }>()

/** Runs one statement, synchronously; each is prepared once a connection. The kit's own give no BigInt, others what its connection says. */
export function runOn(connection: SqliteConnection, { sql, bindings, callersRows }: Statement): Row[] {
  const statement = prepared(connection, sql, callersRows === true)
  const values = bindings.map(bound)
  if (statement.reader) return statement.all(values) as Row[]
  statement.run(values)
  return []
}

/** As {@link runOn}, a statement without bindings that gives no rows and does not come again: nothing of it is kept. */
export function runOnce(connection: SqliteConnection, { sql }: Statement): Row[] {
  connection.exec(sql)
  return []
}

/** As Knex binds them: SQLite has neither booleans nor times. */
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

/** The connection as a handler gets it: it cannot begin or end a transaction, and nothing is written without one. */
export function guardedConnection(connection: SqliteConnection, loan: Loan): SqliteConnection {
  const unlessRefused =
    <Answer>(send: (sql: string) => Answer) =>
    (sql: string): Answer => {
      const refused = loan.refusal(sql) ?? endedEarly(connection)
      if (refused !== undefined) throw refused
      return send(sql)
    }
  const refuse = () => {
    throw new StoreError('the connection is given back by whoever took it, not by the handler')
  }
  const own: Record<PropertyKey, unknown> = {
    prepare: unlessRefused((sql) => closedAtEnd(connection.prepare(sql), loan)),
    exec: unlessRefused((sql) => connection.exec(sql)),
    close: refuse,
  }
  return new Proxy(connection, {
    get(target, name) {
      if (Object.hasOwn(own, name)) return own[name]
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** Nothing can be committed or rolled back while rows are still to be read. */
function closedAtEnd(statement: SqliteStatement, loan: Loan): SqliteStatement {
  const { iterate } = statement
  statement.iterate = (...bindings) => {
    const rows = Reflect.apply(iterate, statement, bindings)
    loan.atEnd(() => rows.return?.())
    return rows
  }
  return statement
}

/** SQLite rolls back by itself what a conflict clause or trigger says ROLLBACK for; what came next would commit by itself. */
export function endedEarly(connection: SqliteConnection): StoreError | undefined {
  if (connection.inTransaction) return undefined
  return new StoreError('the transaction was rolled back by one of its statements (OR ROLLBACK, or RAISE(ROLLBACK))')
}
