export { idempotencyStoreContract, type OpenIdempotencyStore } from '../idempotency/idempotency-store-contract.ts'
export { lockStoreContract, type OpenLockStore } from '../lock/lock-store-contract.ts'
export {
  type Counter,
  type OpenVersionedStore,
  versionedStoreContract,
} from '../optimistic/versioned-store-contract.ts'
export type { ContractRunner } from './testing-runner.ts'
