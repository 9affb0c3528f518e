import type { LeasedIdempotencyStore } from '../idempotency/idempotency-store.ts'
import { type IdempotencyStoreAbilities, type OpenIdempotencyStore, subjectOf } from './idempotency/callers.ts'
import { transactionalEffects } from './idempotency/effects.ts'
import { leasedSceneOn, leasedVerbs } from './idempotency/leased-verbs.ts'
import { idempotencyReplays } from './idempotency/replays.ts'
import { idempotencyRivals } from './idempotency/rivals.ts'
import { type ContractRunner, proving } from './runner.ts'
import { checkStoreObjects, WAYS } from './store-objects.ts'

/**
 * The contract of an idempotency store of either kind: callers on one store object and on two, which do not join each other; the
 * effects of a transactional store; and the verbs of a leased one, as several processes use them.
 *
 * Takes a few seconds of real time. It runs in one process: state that all store objects of a process share, such as a variable
 * of a module, is not found out.
 *
 * @param runner - The test runner's `describe` and `test`: those of Vitest, Jest or `node:test`.
 * @param name - How the store is called in the names of the tests.
 * @param open - Called for each test; two fresh store objects on one back end. Nothing else may keep records there meanwhile.
 * @param abilities - The store's kind, and what else it can do where that is not the default. Tests of anything else are skipped.
 */
export function idempotencyStoreContract<Transaction>(
  runner: ContractRunner,
  name: string,
  open: () => Promise<OpenIdempotencyStore<Transaction>>,
  abilities: IdempotencyStoreAbilities,
): void {
  const told = { scopes: true, finalErrors: true, purges: true, ...abilities }
  const checked = (opened: OpenIdempotencyStore<Transaction>) => {
    checkStoreObjects<Store<Transaction>>(opened, told, { kind: opened.store.kind })
    return opened
  }

  runner.describe(`idempotency store contract: ${name}`, () => {
    const prove = proving(runner, open, (opened) => subjectOf(checked(opened)))
    runner.describe('through one store object', () => idempotencyReplays(prove, told))
    runner.describe('through two store objects', () => idempotencyRivals(prove, told))
    runner.describe('effects', () => transactionalEffects(prove, told))
    for (const { title, storesOf } of WAYS) {
      runner.describe(`verbs, ${title}`, () => {
        const proveVerbs = proving(runner, open, (opened) =>
          leasedSceneOn(storesOf<Store<Transaction>>(checked(opened)).filter(isLeased)),
        )
        leasedVerbs(proveVerbs, told.kind === 'leased')
      })
    }
  })
}

type Store<Transaction> = OpenIdempotencyStore<Transaction>['store']

function isLeased<Transaction>(store: Store<Transaction>): store is LeasedIdempotencyStore {
  return store.kind === 'leased'
}
