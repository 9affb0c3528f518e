export type {
  IoredisClient,
  IoredisCluster,
  IoredisConnection,
  IoredisConnectionOptions,
  IoredisServer,
} from '../ioredis/client.ts'
export { type IoredisLockStoreOptions, ioredisLockStore } from '../lock/stores/ioredis.ts'
