export { type IoredisIdempotencyStoreOptions, ioredisIdempotencyStore } from '../idempotency/stores/ioredis.ts'
export type { BoundedScriptsOptions } from '../ioredis/bounded-scripts.ts'
export type {
  IoredisClient,
  IoredisCluster,
  IoredisConnection,
  IoredisConnectionOptions,
  IoredisServer,
} from '../ioredis/client.ts'
export { type IoredisLockStoreOptions, ioredisLockStore } from '../lock/stores/ioredis.ts'
export type { Gathering } from '../one-write.ts'
export {
  type IoredisVersionedStore,
  type IoredisVersionedStoreOptions,
  ioredisVersionedStore,
} from '../optimistic/stores/ioredis.ts'
