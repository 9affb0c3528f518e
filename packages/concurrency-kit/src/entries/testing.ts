export type {
  Effects,
  IdempotencyStoreAbilities,
  OpenIdempotencyStore,
  OpenLeasedStore,
  OpenTransactionalStore,
} from '../testing/idempotency/callers.ts'
export { idempotencyStoreContract } from '../testing/idempotency-store-contract.ts'
export type { LockStoreAbilities, OpenLockStore } from '../testing/lock/scene.ts'
export { lockStoreContract } from '../testing/lock-store-contract.ts'
export type { Counter, OpenVersionedStore, VersionedStoreAbilities } from '../testing/optimistic/rows.ts'
export type { ContractRunner } from '../testing/runner.ts'
export { versionedStoreContract } from '../testing/versioned-store-contract.ts'
