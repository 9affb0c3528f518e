import { expect, type test as vitestTest } from 'vitest'
import { optimisticUpdate } from '../../../src/optimistic/optimistic-update.ts'
import type { VersionedStore } from '../../../src/optimistic/versioned-store.ts'

interface Money {
  readonly won: number
}

/** As applications write their values: with a private field and a method, which a copy loses. */
class Account implements Money {
  readonly #secret = 5
  readonly won: number
  constructor(won: number) {
    this.won = won
  }
  twice(): number {
    return this.won * 2 + this.#secret - 5
  }
}

class Instant extends Date {}

/** What no store keeps as it is, and how it is called. */
const unstorable = [
  [undefined, 'undefined'],
  [Number.NaN, 'NaN'],
  [Number.NEGATIVE_INFINITY, '-Infinity'],
  [() => 1, 'a function'],
  [Symbol('s'), 'a symbol'],
  [new Account(1), 'a Account'],
  [new Instant(0), 'a Instant'],
  [new Date(Number.NaN), 'an invalid Date'],
  ['a\ud800b', 'text with a lone surrogate'],
] as const

export interface OpenDocuments {
  readonly store: VersionedStore<string, object>
  insert(id: string, value: object): unknown
  close(): Promise<unknown>
}

/** Faults of stores that keep whole values. */
export function proveValuePitfalls(
  { describe, test }: { readonly describe: (name: string, body: () => void) => void; readonly test: typeof vitestTest },
  name: string,
  open: () => Promise<OpenDocuments>,
): void {
  describe(`values: ${name}`, () => {
    const places = [
      ['$.a', (value: unknown) => ({ a: value })],
      ['$.a[1].b', (value: unknown) => ({ a: [1, { b: value }] })],
    ] as const

    for (const [value, what] of unstorable) {
      test(`V6, V11: ${what} in a changed value is refused by its place, and nothing is written`, async () => {
        const { store, insert, close } = await open()
        const id = `${name} ${what}`
        const row = { a: 0 }
        await insert(id, row)
        const before = await store.read({ id, lock: false })
        for (const [path, make] of places) {
          const refusal = new TypeError(`value cannot be stored: ${path} is ${what}`)
          await expect(optimisticUpdate({ store, id }, () => make(value))).rejects.toThrow(refusal)
          const locked = store.updateLocked?.({ id }, () => ({ value: make(value) }))
          if (locked !== undefined) await expect(locked).rejects.toThrow(refusal)
          // As a method of either kind reports it: by throwing, or by rejecting.
          await expect((async () => insert(`${id} new`, make(value)))()).rejects.toThrow(refusal)
        }
        expect(await store.read({ id, lock: false })).toEqual(before)
        expect(await store.read({ id: `${id} new`, lock: false })).toBeUndefined()
        await close()
      })
    }

    test('V6: a whole value that is an instance of a class is refused', async () => {
      const { store, insert, close } = await open()
      await insert(`${name} whole`, { won: 1 })
      const change = optimisticUpdate({ store, id: `${name} whole` }, () => new Account(2))
      await expect(change).rejects.toThrow(new TypeError('value cannot be stored: $ is a Account'))
      await close()
    })
  })
}
