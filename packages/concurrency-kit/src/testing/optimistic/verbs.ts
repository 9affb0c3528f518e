import assert from 'node:assert/strict'
import type { Prove } from '../runner.ts'
import { type Rows, read, type VersionedStoreAbilities } from './rows.ts'

/** Tests each verb of a versioned store as processes use them. */
export function versionedVerbs<Id, Version>(
  prove: Prove<Rows<Id, Version>>,
  { updateLocked }: Required<VersionedStoreAbilities>,
): void {
  prove('reads a row with its version, and nothing if the row is missing', async ({ party, insert, ...rows }) => {
    const id = await insert(7)
    const row = await party().read({ id, lock: false })
    assert.equal(row?.value.count, 7)
    assert.notEqual(row?.version, undefined)
    assert.deepEqual(await party().read({ id, lock: false }), row)
    await rows.delete(id)
    for (const store of [party(), party()]) assert.equal(await store.read({ id, lock: false }), undefined)
  })

  prove('writes on the version that was read, once', async ({ party, insert }) => {
    const [store, other] = [party(), party()]
    const id = await insert(0)
    const row = await read(store, id)
    const request = (count: number) => ({ id, expectedVersion: row.version, value: { ...row.value, count } })
    const written = await store.compareAndSet(request(1))
    assert.ok(written.stored)
    assert.equal(written.value.count, 1)
    assert.notEqual(written.version, row.version)
    for (const late of [other, store]) assert.deepEqual(await late.compareAndSet(request(2)), { stored: false })
    assert.deepEqual(await read(other, id), { value: written.value, version: written.version })
  })

  prove('of many concurrent writes on one version, one is stored', async ({ party, insert }) => {
    const id = await insert(0)
    for (let round = 1; round <= 5; round += 1) {
      const row = await read(party(), id)
      const writes = Array.from({ length: 8 }, (_, index) =>
        party().compareAndSet({ id, expectedVersion: row.version, value: { ...row.value, count: 10 * round + index } }),
      )
      const counts = (await Promise.allSettled(writes)).flatMap((write) =>
        write.status === 'fulfilled' && write.value.stored ? [write.value.value.count] : [],
      )
      assert.equal(counts.length, 1, `${counts.length} of 8 writes on one version were stored`)
      assert.equal((await read(party(), id)).value.count, counts[0])
    }
  })

  prove('a deleted row is not written', async ({ party, insert, ...rows }) => {
    const id = await insert(0)
    const row = await read(party(), id)
    await rows.delete(id)
    for (const store of [party(), party()]) {
      const value = { ...row.value, count: 1 }
      assert.deepEqual(await store.compareAndSet({ id, expectedVersion: row.version, value }), { stored: false })
      assert.equal(await store.read({ id, lock: false }), undefined)
    }
  })

  prove(
    'updateLocked stores what the change makes, and nothing when it throws or declines',
    async ({ party, insert, ...rows }) => {
      const [store, other] = [party(), party()]
      const id = await insert(1)
      const stored = await store.updateLocked?.({ id }, ({ value }) => ({ value: { ...value, count: 2 } }))
      assert.equal(stored?.value.count, 2)
      const failure = new Error('no')
      const failed = store.updateLocked?.({ id }, () => {
        throw failure
      })
      await assert.rejects(failed as Promise<unknown>, (error) => error === failure)
      assert.equal((await other.updateLocked?.({ id }, () => undefined))?.value.count, 2)
      assert.equal((await read(store, id)).value.count, 2)
      await rows.delete(id)
      assert.equal(await store.updateLocked?.({ id }, () => assert.fail('ran')), undefined)
    },
    updateLocked,
  )
}
