import assert from 'node:assert/strict'
import type { ContractRunner } from '../entries/testing-runner.ts'
import { isRowNotFoundError, isVersionConflictError } from '../errors.ts'
import { optimisticUpdate } from './optimistic-update.ts'
import type { VersionedStore } from './versioned-store.ts'

/** The rows of the suite. */
export interface Counter {
  readonly count: number
}

export interface OpenVersionedStore<Id, Version> {
  readonly store: VersionedStore<Id, Counter, Version>
  /** Makes a row with this count; where no `id` is given, under one that no other test uses. */
  insert(count: number, id?: Id): Promise<Id>
  delete(id: Id): Promise<void>
  close(): Promise<void>
}

/**
 * The contract of a {@link VersionedStore}: its verbs, then `optimisticUpdate` above them.
 *
 * @param runner - The test runner's `describe` and `test`: those of Vitest, Jest or `node:test`.
 * @param name - How the store is called in the names of the tests.
 * @param open - Called for each test; a fresh store object, whose backend may be shared.
 */
export function versionedStoreContract<Id, Version>(
  { describe, test }: ContractRunner,
  name: string,
  open: () => Promise<OpenVersionedStore<Id, Version>>,
): void {
  const prove = (title: string, body: (opened: OpenVersionedStore<Id, Version>) => Promise<void>) =>
    test(title, async () => {
      const opened = await open()
      try {
        await body(opened)
      } finally {
        await opened.close()
      }
    })

  const add = (by: number) => (row: Counter) => ({ ...row, count: row.count + by })

  describe(`versioned store contract: ${name}`, () => {
    prove('reads what is there, with its version, and nothing where nothing is', async ({ store, insert, ...rows }) => {
      const id = await insert(7)
      const row = await store.read({ id, lock: false })
      assert.equal(row?.value.count, 7)
      assert.notEqual(row?.version, undefined)
      await rows.delete(id)
      assert.equal(await store.read({ id, lock: false }), undefined)
    })

    prove('writes on the version that was read, once', async ({ store, insert }) => {
      const id = await insert(0)
      const row = await read(store, id)
      const written = await store.compareAndSet({ id, expectedVersion: row.version, value: { ...row.value, count: 1 } })
      assert.ok(written.stored)
      assert.equal(written.value.count, 1)
      assert.notEqual(written.version, row.version)
      const late = await store.compareAndSet({ id, expectedVersion: row.version, value: { ...row.value, count: 2 } })
      assert.deepEqual(late, { stored: false })
      assert.deepEqual(await read(store, id), { value: written.value, version: written.version })
    })

    prove('a row that has gone is not written', async ({ store, insert, ...rows }) => {
      const id = await insert(0)
      const row = await read(store, id)
      await rows.delete(id)
      const value = { ...row.value, count: 1 }
      assert.deepEqual(await store.compareAndSet({ id, expectedVersion: row.version, value }), { stored: false })
      assert.equal(await store.read({ id, lock: false }), undefined)
    })

    prove(
      'updateLocked stores what the change makes, and nothing when it throws or declines',
      async ({ store, insert, ...rows }) => {
        if (store.updateLocked === undefined) return
        const id = await insert(1)
        const stored = await store.updateLocked({ id }, ({ value }) => ({ value: { ...value, count: 2 } }))
        assert.equal(stored?.value.count, 2)
        const failure = new Error('no')
        await assert.rejects(
          store.updateLocked({ id }, () => {
            throw failure
          }),
          (error) => error === failure,
        )
        assert.equal((await store.updateLocked({ id }, () => undefined))?.value.count, 2)
        assert.equal((await read(store, id)).value.count, 2)
        await rows.delete(id)
        assert.equal(await store.updateLocked({ id }, () => assert.fail('ran')), undefined)
      },
    )

    prove('no update is lost: 64 writers at once, the sum is exact', async ({ store, insert }) => {
      const id = await insert(0)
      await Promise.all(
        Array.from({ length: 64 }, async () => {
          for (let n = 0; n < 5; n += 1) await optimisticUpdate({ store, id, maxAttempts: 1_000 }, add(1))
        }),
      )
      assert.equal((await read(store, id)).value.count, 320)
    })

    prove('resolves to the value as stored', async ({ store, insert }) => {
      const id = await insert(40)
      const stored = await optimisticUpdate({ store, id }, add(2))
      assert.equal(stored.count, 42)
      assert.deepEqual((await read(store, id)).value, stored)
    })

    prove('the same reference writes nothing', async ({ store, insert }) => {
      const id = await insert(1)
      const before = await read(store, id)
      await optimisticUpdate({ store, id }, (row) => row)
      assert.deepEqual(await read(store, id), before)
    })

    prove('a conflict reads again, and ends after maxAttempts', async ({ store, insert }) => {
      const id = await insert(0)
      let rivals = 1
      const rival = () => optimisticUpdate({ store, id }, add(100))
      const row = await optimisticUpdate({ store, id }, async (value, { attempt }) => {
        if (rivals-- > 0) await rival()
        return { ...value, count: value.count + attempt }
      })
      assert.equal(row.count, 102)
      const beaten = optimisticUpdate({ store, id, maxAttempts: 3 }, async (value) => {
        await rival()
        return { ...value, count: -1 }
      })
      await assert.rejects(beaten, (error) => isVersionConflictError(error) && error.attempts === 3)
      assert.equal((await read(store, id)).value.count, 402)
    })

    prove('a row that goes meanwhile, or is missing, is said to be missing, and which it was', async (opened) => {
      const { store, insert } = opened
      const id = await insert(0)
      const { version } = await read(store, id)
      const gone = optimisticUpdate({ store, id }, async (value) => {
        await opened.delete(id)
        return { ...value, count: 1 }
      })
      await assert.rejects(gone, (error) => isRowNotFoundError(error) && error.expectedVersion === version)
      const missing = (error: unknown) => isRowNotFoundError(error) && error.expectedVersion === undefined
      await assert.rejects(optimisticUpdate({ store, id }, add(1)), missing)
    })

    prove('a row that is replaced meanwhile is never taken for the old one: it is read again', async (opened) => {
      const { store, insert } = opened
      const id = await insert(1)
      const old = await read(store, id)
      const replace = async (count: number) => {
        await opened.delete(id)
        await insert(count, id)
      }
      await replace(5)
      const late = { id, expectedVersion: old.version, value: { ...old.value, count: 9 } }
      assert.deepEqual(await store.compareAndSet(late), { stored: false })
      const row = await optimisticUpdate({ store, id }, async (value, { attempt }) => {
        if (attempt === 1) await replace(50)
        return { ...value, count: value.count + attempt }
      })
      assert.equal(row.count, 52)
    })

    prove('a row that comes into being after the read is left alone: the next call finds it', async (opened) => {
      const { store, insert } = opened
      const id = await insert(1)
      await opened.delete(id)
      const afterTheRead: VersionedStore<Id, Counter, Version> = {
        name: store.name,
        transactional: store.transactional,
        read: async (request) => {
          const row = await store.read(request)
          await insert(7, id)
          return row
        },
        compareAndSet: (request) => store.compareAndSet(request),
      }
      await assert.rejects(optimisticUpdate({ store: afterTheRead, id }, add(1)), isRowNotFoundError)
      assert.equal((await read(store, id)).value.count, 7)
      assert.equal((await optimisticUpdate({ store, id }, add(1))).count, 8)
    })
  })
}

async function read<Id, Version>(store: VersionedStore<Id, Counter, Version>, id: Id) {
  const row = await store.read({ id, lock: false })
  assert.ok(row !== undefined)
  return row
}
