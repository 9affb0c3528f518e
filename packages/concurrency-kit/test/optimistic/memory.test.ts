import { describe, expect, test } from 'vitest'
import { type Counter, versionedStoreContract } from '../../src/entries/testing.ts'
import { optimisticUpdate } from '../../src/optimistic/optimistic-update.ts'
import { memoryVersionedStore } from '../../src/optimistic/stores/memory.ts'
import { asRowsOfAnotherProcess } from '../support/processes.ts'

versionedStoreContract({ describe, test }, 'memory', async () => {
  const store = memoryVersionedStore<number, Counter>()
  return {
    store,
    rival: asRowsOfAnotherProcess(store),
    insert: async (count, id = 1) => {
      store.insert(id, { count })
      return id
    },
    delete: async (id) => {
      store.delete(id)
    },
    close: async () => {},
  }
})

test('a change that writes to what cannot be frozen does not write to the store', async () => {
  const store = memoryVersionedStore<number, { tags: Set<string>; at: Date; bytes: Uint8Array }>()
  store.insert(1, { tags: new Set(), at: new Date(0), bytes: new Uint8Array(1) })
  await optimisticUpdate({ store, id: 1 }, (row) => {
    row.tags.add('a')
    row.at.setTime(1)
    row.bytes[0] = 1
    return row
  })
  const untouched = { tags: new Set(), at: new Date(0), bytes: new Uint8Array(1) }
  expect(await store.read({ id: 1, lock: false })).toEqual({ value: untouched, version: 1 })
})
