export type { RecordColumns, RecordTableOptions } from '../idempotency/record-table.ts'
export { type KnexIdempotencyStoreOptions, knexIdempotencyStore } from '../idempotency/stores/knex.ts'
export {
  type KnexLeasedIdempotencyStoreOptions,
  knexLeasedIdempotencyStore,
} from '../idempotency/stores/knex-leased.ts'
export { createTables, type Tables, tableStatements } from '../knex/create-tables.ts'
export type { KnexClient, KnexTransaction, TransactionOf } from '../knex/knex-client.ts'
export type { AnnouncementClient } from '../lock/stores/knex/announcements.ts'
export { type KnexLockStoreOptions, knexLockStore } from '../lock/stores/knex.ts'
export { type KnexVersionedStoreOptions, knexVersionedStore } from '../optimistic/stores/knex.ts'
export type { VersionKind } from '../optimistic/stores/row-version.ts'
export type * from '../optimistic/stores/versioned-table-options.ts'
export type { IsolationLevel } from '../sql/isolation-level.ts'
