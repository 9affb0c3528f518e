import assert from 'node:assert/strict'

/** Two store objects on one back end. */
export interface StoreObjects<Store> {
  readonly store: Store
  readonly rival: Store
}

/** The store objects that the parties of a test use: a fault must be detected within one object and between two. */
export const WAYS = [
  { title: 'through one store object', storesOf: <Store>({ store }: StoreObjects<Store>) => [store] },
  { title: 'through two store objects', storesOf: <Store>({ store, rival }: StoreObjects<Store>) => [store, rival] },
] as const

/** @throws AssertionError if the two objects are the same, or the store contradicts the stated abilities. */
export function checkStoreObjects<Store extends object>(
  { store, rival }: StoreObjects<Store>,
  told: Readonly<Record<string, boolean | string>>,
  actual: Readonly<Record<string, boolean | string>>,
): void {
  assert.notEqual(store, rival, 'open() returned one object twice: `rival` must be another one on the same back end')
  for (const [ability, value] of Object.entries(actual)) {
    const shown = `{ ${ability}: ${JSON.stringify(value)} }`
    assert.equal(told[ability], value, `this store has ${shown}: pass that to the suite as an ability`)
  }
}

/** Deals the store objects to the parties of a test in turn. */
export function dealt<Store>(stores: readonly Store[]): () => Store {
  let parties = 0
  return () => {
    const store = stores[parties % stores.length] as Store
    parties += 1
    return store
  }
}
