import type { LeasedIdempotencyStore } from '../idempotency/idempotency-store.ts'
import { type IdempotencyStoreAbilities, type OpenIdempotencyStore, subjectOf } from './idempotency/callers.ts'
import { transactionalEffects } from './idempotency/effects.ts'
import { leasedSceneOn, leasedVerbs } from './idempotency/leased-verbs.ts'
import { idempotencyReplays } from './idempotency/replays.ts'
import { idempotencyRivals } from './idempotency/rivals.ts'
import { type ContractRunner, proving } from './runner.ts'
import { checkStoreObjects, WAYS } from './store-objects.ts'

/**
 * The contract of an idempotency store of either kind. It tests callers on one store object and on two, whose callers do not join
 * each other; the effects of a transactional store; and the verbs of a leased store as several processes use them.
 *
 * Takes a few seconds of real time. The suite runs in one process, so it cannot detect state that all store objects of a process
 * share, such as a module variable.
 *
 * @param runner - The `describe` and `test` of the test runner, such as Vitest, Jest or `node:test`.
 * @param name - Name of the store in the names of the tests.
 * @param open - Called for each test; returns two fresh store objects on one back end. Nothing else may write records there.
 * @param abilities - The store's kind, and its abilities that differ from the defaults. Tests of a missing ability are skipped.
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
