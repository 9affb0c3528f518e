import { randomUUID } from 'node:crypto'
import type { LockStore } from '../lock/lock-store.ts'
import { callersOn, lockCallers } from './lock/callers.ts'
import { lockLeases } from './lock/leases.ts'
import { type LockStoreAbilities, type OpenLockStore, sceneOn } from './lock/scene.ts'
import { lockVerbs } from './lock/verbs.ts'
import { type ContractRunner, proving } from './runner.ts'
import { checkStoreObjects, WAYS } from './store-objects.ts'

/**
 * The contract of a {@link LockStore}: its verbs as several processes use them, through one store object and through two, then
 * the engine above it.
 *
 * Takes a few seconds of real time: leases do expire. Keys are unguessable, so that the server may be shared. It runs in one
 * process: state that all store objects of a process share, such as a variable of a module, is not found out.
 *
 * @param runner - The test runner's `describe` and `test`: those of Vitest, Jest or `node:test`.
 * @param name - How the store is called in the names of the tests.
 * @param open - Called for each test; two fresh store objects on one back end, which other tests may share.
 * @param abilities - What the store can do, where that is not the default. Tests of anything else are skipped.
 */
export function lockStoreContract(
  runner: ContractRunner,
  name: string,
  open: () => Promise<OpenLockStore>,
  abilities: LockStoreAbilities = {},
): void {
  const told = { ...DEFAULTS, ...abilities }
  const checked = (opened: OpenLockStore) => {
    checkStoreObjects(opened, told, abilitiesOf(opened.store))
    return opened
  }

  runner.describe(`lock store contract: ${name}`, () => {
    for (const { title, storesOf } of WAYS) {
      runner.describe(title, () => {
        const prove = proving(runner, open, (opened) => sceneOn(storesOf(checked(opened))))
        lockVerbs(prove, told)
        lockLeases(prove, { ...told, watch: told.watch && (told.watchesRivals || title === WAYS[0].title) })
      })
    }
    runner.describe('by callers', () => {
      const prove = proving(runner, open, (opened) => callersOn(checked(opened), `contract:${randomUUID()}`))
      lockCallers(prove, told)
    })
  })
}

const DEFAULTS: Required<LockStoreAbilities> = {
  expires: true,
  fencing: true,
  acquiresOnce: false,
  watch: true,
  watchesRivals: true,
}

function abilitiesOf(store: LockStore) {
  return {
    fencing: store.fencing,
    acquiresOnce: store.acquiresOnce ?? false,
    watch: store.watch !== undefined,
  }
}
