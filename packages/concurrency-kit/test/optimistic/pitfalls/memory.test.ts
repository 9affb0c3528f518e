import { createContext, runInContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { memoryVersionedStore } from '../../../src/optimistic/stores/memory.ts'
import { proveValuePitfalls } from './values.ts'

proveValuePitfalls({ describe, test }, 'memory', async () => {
  const store = memoryVersionedStore<string, object>()
  return { store, insert: (id, value) => store.insert(id, value), close: async () => {} }
})

test('V6: what a copy has as it is stays allowed: of this realm and of another, as test runners have one', async () => {
  const make = `({ at: new Date(0), tags: new Set(['a']), by: new Map([[{ a: 1 }, [2n]]]), bytes: new Uint8Array([1, 2]),
    buffer: new ArrayBuffer(2), pattern: /a/g, none: null, deep: [[{}]] })`
  for (const value of [runInContext(make, createContext()), runInContext(make, createContext(globalThis))]) {
    const store = memoryVersionedStore<number, object>({ rows: [[1, value]] })
    expect((await store.read({ id: 1, lock: false }))?.value).toEqual(structuredClone(value))
  }
})

test('V6: what is deep inside a Map or a Set is looked at, too', () => {
  const store = memoryVersionedStore<number, object>()
  const insert = (value: object) => () => store.insert(1, value)
  expect(insert({ by: new Map([['a', Buffer.from('a')]]) })).toThrow('$.by.(entry) is a Buffer')
  expect(insert({ by: new Set([[() => 1]]) })).toThrow('$.by.(entry)[0] is a function')
})
