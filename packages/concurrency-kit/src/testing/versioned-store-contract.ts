import { type OpenVersionedStore, rowsOn, type VersionedStoreAbilities } from './optimistic/rows.ts'
import { versionedUpdates } from './optimistic/updates.ts'
import { versionedVerbs } from './optimistic/verbs.ts'
import { type ContractRunner, proving } from './runner.ts'
import { checkStoreObjects, WAYS } from './store-objects.ts'

/**
 * The contract of a {@link VersionedStore}: its verbs, then `optimisticUpdate` above them, through one store object and through
 * two.
 *
 * It runs in one process: state that all store objects of a process share, such as a variable of a module, is not found out.
 *
 * @param runner - The test runner's `describe` and `test`: those of Vitest, Jest or `node:test`.
 * @param name - How the store is called in the names of the tests.
 * @param open - Called for each test; two fresh store objects on the same rows, which other tests may share.
 * @param abilities - What the store can do, where that is not the default. Tests of anything else are skipped.
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
