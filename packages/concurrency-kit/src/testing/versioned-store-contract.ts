import { type OpenVersionedStore, rowsOn, type VersionedStoreAbilities } from './optimistic/rows.ts'
import { versionedUpdates } from './optimistic/updates.ts'
import { versionedVerbs } from './optimistic/verbs.ts'
import { type ContractRunner, proving } from './runner.ts'
import { checkStoreObjects, WAYS } from './store-objects.ts'

/**
 * The contract of a {@link VersionedStore}: its verbs, and `optimisticUpdate` above them, through one store object and through two.
 *
 * The suite runs in one process, so it cannot detect state that all store objects of a process share, such as a module variable.
 *
 * @param runner - The `describe` and `test` of the test runner, such as Vitest, Jest or `node:test`.
 * @param name - Name of the store in the names of the tests.
 * @param open - Called for each test; returns two fresh store objects on the same rows, which other tests may share.
 * @param abilities - Abilities of the store that differ from the defaults. Tests of a missing ability are skipped.
 */
export function versionedStoreContract<Id, Version>(
  runner: ContractRunner,
  name: string,
  open: () => Promise<OpenVersionedStore<Id, Version>>,
  abilities: VersionedStoreAbilities = {},
): void {
  const told = { updateLocked: true, ...abilities }

  runner.describe(`versioned store contract: ${name}`, () => {
    for (const { title, storesOf } of WAYS) {
      runner.describe(title, () => {
        const prove = proving(runner, open, (opened) => {
          checkStoreObjects(opened, told, { updateLocked: opened.store.updateLocked !== undefined })
          return rowsOn(opened, storesOf)
        })
        versionedVerbs(prove, told)
        versionedUpdates(prove, told)
      })
    }
  })
}
