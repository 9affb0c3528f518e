import assert from 'node:assert/strict'
import { expect, test } from 'vitest'
import {
  idempotencyStoreContract,
  type LockStoreAbilities,
  lockStoreContract,
  versionedStoreContract,
} from '../../src/entries/testing.ts'
import { type LockStore, memoryIdempotencyStore, memoryLockStore, memoryVersionedStore } from '../../src/index.ts'
import { outcomesOf } from '../support/outcomes.ts'
import { asAnotherProcess, asRowsOfAnotherProcess, LockStoreOfProcess } from '../support/processes.ts'

const closed = { close: async () => {} }

const lockOutcomes = (abilities: LockStoreAbilities, rivalOf?: (store: LockStore) => LockStore) =>
  outcomesOf((runner) =>
    lockStoreContract(
      runner,
      'memory',
      async () => {
        const store = memoryLockStore()
        return {
          store,
          rival: rivalOf?.(store) ?? new LockStoreOfProcess(store, async (command) => command()),
          ...closed,
        }
      },
      abilities,
    ),
  )

test('X5: tests of another kind of store are skipped, not passed: locks', async () => {
  const { failed, skipped } = await lockOutcomes({ expires: false, watchesRivals: false })
  expect(failed).toEqual([])
  expect(skipped).toContain('through one store object > extend prolongs the lease from now')
  expect(skipped).toContain(
    'through two store objects > a watcher is notified of a release, and not after it has stopped',
  )
  expect(skipped).not.toContain(
    'through one store object > a watcher is notified of a release, and not after it has stopped',
  )
})

test('X5: tests of another kind of store are skipped, not passed: records', async () => {
  const { passed, failed, skipped } = await outcomesOf((runner) =>
    idempotencyStoreContract(
      runner,
      'memory',
      async () => {
        const store = memoryIdempotencyStore()
        return { store, rival: asAnotherProcess(store), ...closed }
      },
      { kind: 'leased', finalErrors: false },
    ),
  )
  expect(failed).toEqual([])
  expect(passed.filter((name) => /transactional:|final error/.test(name))).toEqual([])
  expect(skipped.filter((name) => name.includes('transactional:')).length).toBeGreaterThan(0)
  expect(skipped).toContain('through two store objects > a final error is replayed to a rival')
})

test('X5: tests of another kind of store are skipped, not passed: rows', async () => {
  const { passed, failed, skipped } = await outcomesOf((runner) =>
    versionedStoreContract(
      runner,
      'memory',
      async () => {
        const rows = memoryVersionedStore<number, { count: number }>()
        const { updateLocked: _, ...store } = asRowsOfAnotherProcess(rows)
        const insert = async (count: number, id = 1) => {
          assert.ok(rows.insert(id, { count }))
          return id
        }
        return { store, rival: { ...store }, insert, delete: async (id) => void rows.delete(id), ...closed }
      },
      { updateLocked: false },
    ),
  )
  expect(failed).toEqual([])
  expect(passed.filter((name) => name.includes('updateLocked'))).toEqual([])
  expect(skipped.filter((name) => name.includes('updateLocked')).length).toBeGreaterThan(0)
})

test('a store that is something else than the suite was told fails every test', async () => {
  const { passed, failed } = await lockOutcomes({ fencing: false })
  expect(passed).toEqual([])
  expect(failed).not.toEqual([])
})

test('X5: one store object given twice fails every test', async () => {
  const { passed, failed } = await lockOutcomes({}, (store) => store)
  expect(passed).toEqual([])
  expect(failed).not.toEqual([])
})
