import type { Signal } from '../../abort.ts'
import { isStoreError, StoreError } from '../../errors.ts'
import { messageOf, shown, shownId } from '../../options.ts'
import type { Database, Row, Statement } from '../../sql/database.ts'
import { asStoreError, MOST_REPEATS, preparedIsOutdated, sqlState } from '../../sql/errors.ts'
import type { Quote } from '../../sql/names.ts'
import type { Environment } from '../../time/clock.ts'
import type {
  CompareAndSetRequest,
  CompareAndSetResult,
  ReadRequest,
  TransactableVersionedStore,
  Versioned,
  VersionedStore,
} from '../versioned-store.ts'
import { VersionedRows } from './versioned-rows.ts'
import type { VersionedTableOptions } from './versioned-table-options.ts'

/**
 * The rows of a table, with versions, through any client of an SQL database.
 *
 * @param quote - How the client quotes names. @defaultValue double quotes
 */
export function sqlVersionedStore<Value extends object, Id, Version, Inside>(
  database: Database<unknown, Inside>,
  options: VersionedTableOptions<Value> & { readonly environment?: Environment },
  quote?: Quote,
): TransactableVersionedStore<Id, Value, Version, Inside> {
  const rows = new VersionedRows<Value, Id, Version>(options, database.dialect, quote)
  const { name } = database
  const { environment, table } = options
  const through = (transactional: boolean, send: Send) =>
    new SqlVersionedRows({ name, transactional, environment, rows, send })
  const alone: Send = (what, statement, signal) => database.alone(what, statement, signal)
  return Object.assign(through(false, alone), {
    updateLocked: (request: LockRequest<Id>, change: LockedChange<Value, Version>) =>
      updateLocked({ database, rows, table }, request, change),
    within: (transaction: Inside): VersionedStore<Id, Value, Version> =>
      through(true, (what, statement) => database.inside(transaction, what, statement)),
  })
}

type Send = (what: string, statement: Statement, signal?: Signal) => Promise<Row[]>
type LockRequest<Id> = { readonly id: Id; readonly signal?: Signal | undefined }
type LockedChange<Value, Version> = (current: Versioned<Value, Version>) => { readonly value: Value } | undefined

interface Through<Value extends object, Id, Version> {
  readonly name: string
  readonly transactional: boolean
  readonly environment: Environment | undefined
  readonly rows: VersionedRows<Value, Id, Version>
  readonly send: Send
}

class SqlVersionedRows<Value extends object, Id, Version> implements VersionedStore<Id, Value, Version> {
  readonly name: string
  readonly transactional: boolean
  declare readonly environment?: Environment
  readonly #rows: VersionedRows<Value, Id, Version>
  readonly #send: Send

  constructor({ name, transactional, environment, rows, send }: Through<Value, Id, Version>) {
    this.name = name
    this.transactional = transactional
    this.#rows = rows
    this.#send = send
    if (environment !== undefined) this.environment = environment
  }

  async read({ id, lock, signal }: ReadRequest<Id>): Promise<Versioned<Value, Version> | undefined> {
    const ask = (statement: Statement) => this.#ask('read', statement, signal)
    const statement = this.#rows.read(id, lock && this.transactional)
    if (this.#rows.unknown() !== undefined) await know(this.#rows, ask)
    return this.#rows.found(id, await ask(statement))
  }

  async compareAndSet(request: CompareAndSetRequest<Id, Value, Version>): Promise<CompareAndSetResult<Value, Version>> {
    const [row] = await write(this.#rows, request, (statement) => this.#ask('compareAndSet', statement, request.signal))
    if (row === undefined) return { stored: false }
    try {
      return { stored: true, ...this.#rows.written(request.expectedVersion, row) }
    } catch (cause) {
      const where = this.transactional ? ' in the transaction' : ''
      throw new StoreError(`compareAndSet of ${this.name}: the row was written${where}, but ${messageOf(cause)}`, {
        cause,
      })
    }
  }

  #ask(verb: string, statement: Statement, signal?: Signal): Promise<Row[]> {
    return asked(`${verb} of ${this.name}`, this.#send, statement, signal)
  }
}

/** Sends the update, and queries the table's shape first if it is unknown. Returns the row that was written, if any. */
async function write<Value extends object, Id, Version>(
  rows: VersionedRows<Value, Id, Version>,
  request: CompareAndSetRequest<Id, Value, Version>,
  ask: (statement: Statement) => Promise<Row[]>,
): Promise<Row[]> {
  if (rows.unknown() !== undefined) await know(rows, ask)
  let statement = rows.update(request)
  if (rows.unknown() !== undefined) {
    await know(rows, ask)
    statement = rows.update(request)
  }
  try {
    return await ask(statement)
  } catch (error) {
    if (mayBeOutdated(error)) rows.doubt()
    throw error
  }
}

/** Whether the table's columns or types may have changed: errors of class 22 (data), 42 (names and types) and 0A. */
function mayBeOutdated(error: unknown): boolean {
  return isStoreError(error) && /^(22|42|0A)/.test(sqlState(error.cause) ?? '')
}

async function asked(what: string, send: Send, statement: Statement, signal?: Signal): Promise<Row[]> {
  try {
    return await send(what, statement, signal)
  } catch (error) {
    throw failure(what, error, signal)
  }
}

/** Queries the table's shape if it is unknown. */
async function know<Value extends object, Id, Version>(
  rows: VersionedRows<Value, Id, Version>,
  ask: (statement: Statement) => Promise<Row[]>,
): Promise<void> {
  const unknown = rows.unknown()
  if (unknown !== undefined) rows.know(await ask(unknown))
}

/** An exhausted pool has been waited for throughout a deadline: not `transient`, or each attempt would wait as long again. */
function failure(what: string, error: unknown, signal?: Signal): unknown {
  if (signal?.aborted === true && error === signal.reason) return error
  const exhausted = isStoreError(error) && error.transient && error.cause === undefined
  return exhausted ? new StoreError(error.message) : asStoreError(what, error)
}

interface Table<Value extends object, Id, Version> {
  readonly database: Database<unknown, never>
  readonly rows: VersionedRows<Value, Id, Version>
  readonly table: string
}

async function updateLocked<Value extends object, Id, Version>(
  table: Table<Value, Id, Version>,
  request: LockRequest<Id>,
  change: LockedChange<Value, Version>,
): Promise<Versioned<Value, Version> | undefined> {
  for (let repeats = 0; ; repeats += 1) {
    try {
      return await updateLockedOnce(table, request, change)
    } catch (error) {
      const again = isStoreError(error) && preparedIsOutdated(error.cause)
      if (!again || repeats === MOST_REPEATS) throw error
    }
  }
}

/** Reads the row with a lock, changes it and writes it, in one short transaction. */
async function updateLockedOnce<Value extends object, Id, Version>(
  { database, rows, table }: Table<Value, Id, Version>,
  { id, signal }: LockRequest<Id>,
  change: LockedChange<Value, Version>,
): Promise<Versioned<Value, Version> | undefined> {
  const what = `updateLocked of ${database.name}`
  const read = rows.read(id, true)
  const owned = await database.begin({ signal }).catch((error) => Promise.reject(failure(what, error, signal)))
  const ask = (statement: Statement) => asked(what, (_what, it) => owned.rows(what, it), statement)
  try {
    if (rows.unknown() !== undefined) await know(rows, ask)
    const current = rows.found(id, await ask(read))
    const next = current && change(current)
    if (current === undefined || next === undefined) {
      await owned.rollback()
      return current
    }
    const request = { id, expectedVersion: current.version, value: next.value, current: current.value }
    const [written] = await write(rows, request, ask)
    if (written === undefined) {
      throw new StoreError(
        `row ${shownId(id)} was not written, although it is locked and unchanged: a trigger or rule of ${shown(table)} suppressed the write`,
      )
    }
    const stored = stillToCommit(what, () => rows.written(current.version, written))
    const ended = await owned.commit()
    if (ended.status === 'committed') return stored
    throw new StoreError(`${what} failed`, { cause: ended.cause, transient: ended.status === 'failed' && ended.passes })
  } catch (error) {
    await owned.rollback()
    throw error
  }
}

function stillToCommit<Stored>(what: string, written: () => Stored): Stored {
  try {
    return written()
  } catch (cause) {
    throw new StoreError(`${what} was rolled back, and nothing was written: ${messageOf(cause)}`, { cause })
  }
}
