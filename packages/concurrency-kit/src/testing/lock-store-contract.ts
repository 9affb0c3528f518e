import { randomUUID } from 'node:crypto'
import type { LockStore } from '../lock/lock-store.ts'
import { callersOn, lockCallers } from './lock/callers.ts'
import { lockLeases } from './lock/leases.ts'
import { type LockStoreAbilities, type OpenLockStore, sceneOn } from './lock/scene.ts'
import { lockVerbs } from './lock/verbs.ts'
import { type ContractRunner, proving } from './runner.ts'
import { checkStoreObjects, WAYS } from './store-objects.ts'

/**
 * The contract of a {@link LockStore}: its verbs as several processes use them, through one store object and through two, and the
 * lock engine above it.
 *
 * Takes a few seconds of real time, because leases expire. Keys are unguessable, so the server may be shared. The suite runs in one
 * process, so it cannot detect state that all store objects of a process share, such as a module variable.
 *
 * @param runner - The `describe` and `test` of the test runner, such as Vitest, Jest or `node:test`.
 * @param name - Name of the store in the names of the tests.
 * @param open - Called for each test; returns two fresh store objects on one back end, which other tests may share.
 * @param abilities - Abilities of the store that differ from the defaults. Tests of a missing ability are skipped.
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
