import { types } from 'node:util'
import type { Environment } from '../../time/clock.ts'
import { deepFreeze, staysWritable } from '../deep-freeze.ts'
import { findUnstorable, prototypesOf, refuse } from '../storable.ts'
import type {
  CompareAndSetRequest,
  CompareAndSetResult,
  ReadRequest,
  Versioned,
  VersionedStore,
} from '../versioned-store.ts'

export interface MemoryVersionedStoreOptions<Id, Value> {
  /** Rows to begin with, at version 1. @defaultValue none */
  readonly rows?: Iterable<readonly [Id, Value]>
  readonly environment?: Environment
}

/** A versioned store that also makes and deletes its rows. */
export interface MemoryVersionedStore<Id, Value> extends VersionedStore<Id, Value> {
  /** False, and nothing done, where the row exists. */
  insert(id: Id, value: Value): boolean
  /** False where there was no such row. */
  delete(id: Id): boolean
  readonly size: number
}

/**
 * Versioned rows within one process: frozen copies by id, each with a version that counts from 1.
 *
 * A `Map`, a `Date` and similar objects cannot be frozen, so each read gets another copy of a value that contains one. A value that
 * a copy would change, such as a class instance, a `Buffer`, a function, `NaN` or `undefined`, causes a `TypeError` with its path,
 * and nothing is stored.
 *
 * A row that is deleted and inserted again goes on counting, so that an old version never matches the new row.
 *
 * @example
 * const accounts = memoryVersionedStore<number, Account>({ rows: [[1, { balance: 0 }]] })
 */
export function memoryVersionedStore<Id, Value extends object>(
  options: MemoryVersionedStoreOptions<Id, Value> = {},
): MemoryVersionedStore<Id, Value> {
  return new MemoryRows(options)
}

interface Kept<Value> extends Versioned<Value, number> {
  /** Whether whoever reads it gets a copy. */
  readonly writable: boolean
}

class MemoryRows<Id, Value extends object> implements MemoryVersionedStore<Id, Value> {
  readonly name = 'memory'
  readonly transactional = false
  declare readonly environment?: Environment
  readonly #rows = new Map<Id, Kept<Value>>()
  /** Where the count of a row that is inserted after a deletion begins. */
  #lastDeleted = 0

  constructor({ rows = [], environment }: MemoryVersionedStoreOptions<Id, Value>) {
    if (environment !== undefined) this.environment = environment
    for (const [id, value] of rows) this.insert(id, value)
  }

  get size(): number {
    return this.#rows.size
  }

  insert(id: Id, value: Value): boolean {
    if (this.#rows.has(id)) return false
    this.#store(id, value, this.#lastDeleted + 1)
    return true
  }

  delete(id: Id): boolean {
    this.#lastDeleted = Math.max(this.#lastDeleted, this.#rows.get(id)?.version ?? 0)
    return this.#rows.delete(id)
  }

  async read({ id }: ReadRequest<Id>): Promise<Versioned<Value, number> | undefined> {
    return this.#handedOut(id)
  }

  async compareAndSet(request: CompareAndSetRequest<Id, Value, number>): Promise<CompareAndSetResult<Value, number>> {
    const { id, expectedVersion, value } = request
    if (this.#rows.get(id)?.version !== expectedVersion) return { stored: false }
    return { stored: true, ...this.#store(id, value, expectedVersion + 1) }
  }

  async updateLocked(
    { id }: { readonly id: Id },
    change: (current: Versioned<Value, number>) => { readonly value: Value } | undefined,
  ): Promise<Versioned<Value, number> | undefined> {
    const current = this.#handedOut(id)
    if (current === undefined) return undefined
    const next = change(current)
    return next === undefined ? current : this.#store(id, next.value, current.version + 1)
  }

  #store(id: Id, value: Value, version: number): Versioned<Value, number> {
    refuse(findUnstorable(value, isCloned))
    const copy = frozenCopy(value)
    this.#rows.set(id, { value: copy, version, writable: staysWritable(copy) })
    return this.#handedOut(id) as Versioned<Value, number>
  }

  #handedOut(id: Id): Versioned<Value, number> | undefined {
    const row = this.#rows.get(id)
    return row && { value: row.writable ? frozenCopy(row.value) : row.value, version: row.version }
  }
}

/** Whether a structured clone preserves the object: true for built-in kinds, false for classes that extend one, such as `Buffer`. */
function isCloned(value: object): boolean {
  const prototypes = prototypesOf(value)
  if (types.isTypedArray(value)) return prototypes === 3
  const cloned = [types.isDate, types.isMap, types.isSet, types.isRegExp, types.isAnyArrayBuffer, types.isDataView]
  return prototypes === 2 && cloned.some((isKind) => isKind(value))
}

function frozenCopy<Value>(value: Value): Value {
  return deepFreeze(structuredClone(value))
}
