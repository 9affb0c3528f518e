export { type PgAdvisoryLockStoreOptions, pgAdvisoryLockStore } from '../lock/stores/pg-advisory.ts'
