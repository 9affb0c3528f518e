import assert from 'node:assert/strict'
import { isRowNotFoundError, isVersionConflictError } from '../../errors.ts'
import { optimisticUpdate } from '../../optimistic/optimistic-update.ts'
import type { VersionedStore } from '../../optimistic/versioned-store.ts'
import type { Prove } from '../runner.ts'
import { add, type Counter, type Rows, read, type VersionedStoreAbilities } from './rows.ts'

/** Tests what callers of `optimisticUpdate` get from a versioned store. */
export function versionedUpdates<Id, Version>(
  prove: Prove<Rows<Id, Version>>,
  { updateLocked }: Required<VersionedStoreAbilities>,
): void {
  prove('no update is lost: 64 writers at once, the sum is exact', async ({ party, insert }) => {
    const id = await insert(0)
    await Promise.all(
      Array.from({ length: 64 }, async () => {
        const store = party()
        for (let n = 0; n < 5; n += 1) await optimisticUpdate({ store, id, maxAttempts: 1_000 }, add(1))
      }),
    )
    assert.equal((await read(party(), id)).value.count, 320)
  })

  prove(
    'no update is lost between rows that are locked and rows that are compared',
    async ({ party, insert }) => {
      const id = await insert(0)
      await Promise.all(
        Array.from({ length: 16 }, async (_, index) => {
          const store = party()
          // Half of the callers lock from the second attempt on, the others never do.
          const lockAfter = index % 4 < 2 ? 1 : 1_000
          for (let n = 0; n < 5; n += 1) await optimisticUpdate({ store, id, lockAfter, maxAttempts: 1_000 }, add(1))
        }),
      )
      assert.equal((await read(party(), id)).value.count, 80)
    },
    updateLocked,
  )

  prove('resolves to the value as stored', async ({ party, insert }) => {
    const id = await insert(40)
    const stored = await optimisticUpdate({ store: party(), id }, add(2))
    assert.equal(stored.count, 42)
    assert.deepEqual((await read(party(), id)).value, stored)
  })

  prove('the same reference writes nothing', async ({ party, insert }) => {
    const id = await insert(1)
    const before = await read(party(), id)
    await optimisticUpdate({ store: party(), id }, (row) => row)
    assert.deepEqual(await read(party(), id), before)
  })

  prove('a conflict reads again, and ends after maxAttempts', async ({ party, insert }) => {
    const [store, other] = [party(), party()]
    const id = await insert(0)
    let rivals = 1
    const rival = () => optimisticUpdate({ store: other, id }, add(100))
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

  prove('a missing or deleted row is reported, and the error tells which it was', async (rows) => {
    const store = rows.party()
    const id = await rows.insert(0)
    const { version } = await read(store, id)
    const gone = optimisticUpdate({ store, id }, async (value) => {
      await rows.delete(id)
      return { ...value, count: 1 }
    })
    await assert.rejects(gone, (error) => isRowNotFoundError(error) && error.expectedVersion === version)
    const missing = (error: unknown) => isRowNotFoundError(error) && error.expectedVersion === undefined
    await assert.rejects(optimisticUpdate({ store, id }, add(1)), missing)
  })

  prove(
    'a row that is replaced during the update is never mistaken for the old one: it is read again',
    async (rows) => {
      const store = rows.party()
      const id = await rows.insert(1)
      const old = await read(store, id)
      const replace = async (count: number) => {
        await rows.delete(id)
        await rows.insert(count, id)
      }
      await replace(5)
      const late = { id, expectedVersion: old.version, value: { ...old.value, count: 9 } }
      assert.deepEqual(await store.compareAndSet(late), { stored: false })
      const row = await optimisticUpdate({ store, id }, async (value, { attempt }) => {
        if (attempt === 1) await replace(50)
        return { ...value, count: value.count + attempt }
      })
      assert.equal(row.count, 52)
    },
  )

  prove('a row that comes into being after the read is left alone: the next call finds it', async (rows) => {
    const store = rows.party()
    const id = await rows.insert(1)
    await rows.delete(id)
    const afterTheRead: VersionedStore<Id, Counter, Version> = {
      name: store.name,
      transactional: store.transactional,
      read: async (request) => {
        const row = await store.read(request)
        await rows.insert(7, id)
        return row
      },
      compareAndSet: (request) => store.compareAndSet(request),
    }
    await assert.rejects(optimisticUpdate({ store: afterTheRead, id }, add(1)), isRowNotFoundError)
    assert.equal((await read(store, id)).value.count, 7)
    assert.equal((await optimisticUpdate({ store, id }, add(1))).count, 8)
  })
}
