export type { RedlockNode } from '../lock/stores/redlock/ballot.ts'
export { type Redlock4, type Redlock5, type RedlockLockStoreOptions, redlockLockStore } from '../lock/stores/redlock.ts'
