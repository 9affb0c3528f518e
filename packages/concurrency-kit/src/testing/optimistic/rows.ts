import assert from 'node:assert/strict'
import type { Versioned, VersionedStore } from '../../optimistic/versioned-store.ts'
import { dealt, type StoreObjects } from '../store-objects.ts'

/** The rows of the suite. */
export interface Counter {
  readonly count: number
}

export interface OpenVersionedStore<Id, Version> {
  readonly store: VersionedStore<Id, Counter, Version>
  /**
   * Another store object on the same rows, as in another process: it has its own client and shares no memory with `store`. If the
   * store keeps its rows in the object, `rival` forwards every verb to `store`.
   */
  readonly rival: VersionedStore<Id, Counter, Version>
  /** Inserts a row with this count; without an `id`, under one that no other test uses. */
  insert(count: number, id?: Id): Promise<Id>
  delete(id: Id): Promise<void>
  /** Ends what `open` made. */
  close(): Promise<void>
}

/** Abilities of a versioned store. Tests of a missing ability are skipped. */
export interface VersionedStoreAbilities {
  /** False for a store that has no `updateLocked`. @defaultValue true */
  readonly updateLocked?: boolean
}

/** The rows and store objects of one test. */
export interface Rows<Id, Version> {
  /** The store object of the next party. */
  party(): VersionedStore<Id, Counter, Version>
  insert(count: number, id?: Id): Promise<Id>
  delete(id: Id): Promise<void>
}

export function rowsOn<Id, Version>(
  opened: OpenVersionedStore<Id, Version>,
  storesOf: (objects: StoreObjects<VersionedStore<Id, Counter, Version>>) => VersionedStore<Id, Counter, Version>[],
): Rows<Id, Version> {
  return { party: dealt(storesOf(opened)), insert: opened.insert, delete: opened.delete }
}

export async function read<Id, Version>(
  store: VersionedStore<Id, Counter, Version>,
  id: Id,
): Promise<Versioned<Counter, Version>> {
  const row = await store.read({ id, lock: false })
  assert.ok(row !== undefined)
  return row
}

export const add = (by: number) => (row: Counter) => ({ ...row, count: row.count + by })
