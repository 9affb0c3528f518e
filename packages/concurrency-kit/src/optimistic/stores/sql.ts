import { isStoreError, StoreError } from '../../errors.ts'
import type { Database, Row, Statement } from '../../sql/database.ts'
import { asStoreError } from '../../sql/errors.ts'
import type { Environment } from '../../time/clock.ts'
import type {
  CompareAndSetRequest,
  CompareAndSetResult,
  ReadRequest,
  TransactableVersionedStore,
  Versioned,
  VersionedStore,
} from '../versioned-store.ts'
import { VersionedRows, type VersionedTableOptions } from './versioned-rows.ts'

/** The rows of a table, with versions, through any client of an SQL database. */
export function sqlVersionedStore<Value extends object, Id, Version, Inside>(
  database: Database<unknown, Inside>,
  options: VersionedTableOptions<Value> & { readonly environment?: Environment },
): TransactableVersionedStore<Id, Value, Version, Inside> {
  const rows = new VersionedRows<Value, Id, Version>(options, database.dialect)
  const { name } = database
  const through = (transactional: boolean, send: Send) =>
    new SqlVersionedRows({ name, transactional, environment: options.environment, rows, send })
  return Object.assign(
    through(false, (what, statement) => database.alone(what, statement)),
    {
      updateLocked: ({ id }: { readonly id: Id }, change: LockedChange<Value, Version>) =>
        updateLocked(database, rows, id, change),
      within: (transaction: Inside): VersionedStore<Id, Value, Version> =>
        through(true, (what, statement) => database.inside(transaction, what, statement)),
    },
  )
}

type Send = (what: string, statement: Statement) => Promise<Row[]>
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

  async read({ id, lock }: ReadRequest<Id>): Promise<Versioned<Value, Version> | undefined> {
    const [row] = await this.#ask('read', this.#rows.read(id, lock && this.transactional))
    return row === undefined ? undefined : this.#rows.versioned(row)
  }

  async compareAndSet(request: CompareAndSetRequest<Id, Value, Version>): Promise<CompareAndSetResult<Value, Version>> {
    const { id, expectedVersion, value } = request
    const [row] = await this.#ask('compareAndSet', this.#rows.update(id, expectedVersion, value))
    return row === undefined ? { stored: false } : { stored: true, ...this.#rows.versioned(row) }
  }

  async #ask(verb: string, statement: Statement): Promise<Row[]> {
    const what = `${verb} of ${this.name}`
    try {
      return await this.#send(what, statement)
    } catch (error) {
      throw failure(what, error)
    }
  }
}

/** An exhausted pool has been waited for throughout a deadline: not `transient`, or each attempt would wait as long again. */
function failure(what: string, error: unknown): StoreError {
  const exhausted = isStoreError(error) && error.transient && error.cause === undefined
  return exhausted ? new StoreError(error.message) : asStoreError(what, error)
}

/** The row is read under its lock, changed and written in a short transaction. */
async function updateLocked<Value extends object, Id, Version>(
  database: Database<unknown, never>,
  rows: VersionedRows<Value, Id, Version>,
  id: Id,
  change: LockedChange<Value, Version>,
): Promise<Versioned<Value, Version> | undefined> {
  const what = `updateLocked of ${database.name}`
  const asked = <Answer>(answer: Promise<Answer>): Promise<Answer> =>
    answer.catch((error) => Promise.reject(failure(what, error)))
  const owned = await asked(database.begin({}))
  try {
    const [row] = await asked(owned.rows(what, rows.read(id, true)))
    const current = row && rows.versioned(row)
    const next = current && change(current)
    if (current === undefined || next === undefined) {
      await owned.rollback()
      return current
    }
    const [written] = await asked(owned.rows(what, rows.update(id, current.version, next.value)))
    if (written === undefined) throw new StoreError(`row ${String(id)} changed under its lock`)
    const stored = rows.versioned(written)
    const ended = await owned.commit()
    if (ended.status === 'committed') return stored
    throw new StoreError(`${what} failed`, { cause: ended.cause, transient: ended.status === 'failed' && ended.passes })
  } catch (error) {
    await owned.rollback()
    throw error
  }
}
