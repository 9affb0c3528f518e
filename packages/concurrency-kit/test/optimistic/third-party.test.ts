import { setTimeout } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { type Counter, type OpenVersionedStore, versionedStoreContract } from '../../src/entries/testing.ts'
import type { VersionedStore } from '../../src/index.ts'
import { outcomesOf } from '../support/outcomes.ts'

/** As somebody else would write it: rows in a Map, and every command takes a while. */
async function open({ compares }: { compares: boolean }): Promise<OpenVersionedStore<number, number>> {
  const rows = new Map<number, { value: Counter; version: number }>()
  let inserted = 0
  const onItsWay = () => setTimeout(Math.random() * 2)
  const openStore = (): VersionedStore<number, Counter> => ({
    name: 'third party',
    transactional: false,
    read: async ({ id }) => {
      await onItsWay()
      return rows.get(id)
    },
    compareAndSet: async ({ id, expectedVersion, value }) => {
      await onItsWay()
      const row = rows.get(id)
      if (row === undefined || (compares && row.version !== expectedVersion)) return { stored: false }
      const next = { value, version: row.version + 1 }
      rows.set(id, next)
      return { stored: true, ...next }
    },
  })
  return {
    store: openStore(),
    rival: openStore(),
    insert: async (count, id = 1) => {
      inserted += 1
      rows.set(id, { value: { count }, version: 1_000 * inserted })
      return id
    },
    delete: async (id) => void rows.delete(id),
    close: async () => {},
  }
}

const ABILITIES = { updateLocked: false }

versionedStoreContract({ describe, test }, 'by a third party', () => open({ compares: true }), ABILITIES)

describe('the published contract catches a versioned store', () => {
  test('that writes on whatever version there is', async () => {
    const { failed, passed } = await outcomesOf((runner) =>
      versionedStoreContract(runner, 'without a look at the version', () => open({ compares: false }), ABILITIES),
    )
    expect(failed).toContain('through one store object > writes on the version that was read, once')
    expect(failed).toContain('through one store object > no update is lost: 64 writers at once, the sum is exact')
    expect(passed).not.toEqual([])
  })
})
