export type { AbortSignalLike, Signal } from './abort.ts'
export * from './errors.ts'
export { type EventChannel, events } from './events.ts'
export type { Codec, FinalErrors } from './idempotency/codec.ts'
export { type FindReplayOptions, findReplay, type Replay } from './idempotency/find-replay.ts'
export type {
  LeasedOptions,
  Probe,
  RequestOptions,
  ResultOptions,
  RunOptions,
  TransactionalOptions,
} from './idempotency/idempotency-options.ts'
export type * from './idempotency/idempotency-store.ts'
export type { JsonCompatible } from './idempotency/json-value.ts'
export { jsonWithDates } from './idempotency/json-with-dates.ts'
export type { LeasedContext } from './idempotency/leased-run.ts'
export { type PurgeOptions, type PurgeProgress, purgeExpired } from './idempotency/purge-expired.ts'
export { type MemoryIdempotencyStoreOptions, memoryIdempotencyStore } from './idempotency/stores/memory.ts'
export type { TransactionalContext } from './idempotency/transactional-run.ts'
export { withIdempotency } from './idempotency/with-idempotency.ts'
export { acquireLock, type OwnedLease } from './lock/acquire-lock.ts'
export type { FencingToken, FencingTokens, Lease, LeaseOn } from './lock/lease.ts'
export { endLeases } from './lock/lock-engine.ts'
export type { LockOptions } from './lock/lock-options.ts'
export type * from './lock/lock-store.ts'
export { type MemoryLockStoreOptions, memoryLockStore } from './lock/stores/memory.ts'
export { type DistributedLockOptions, withDistributedLock } from './lock/with-distributed-lock.ts'
export { type OptimisticUpdateOptions, optimisticUpdate } from './optimistic/optimistic-update.ts'
export {
  type MemoryVersionedStore,
  type MemoryVersionedStoreOptions,
  memoryVersionedStore,
} from './optimistic/stores/memory.ts'
export type { Change, ChangeContext } from './optimistic/update-run.ts'
export type * from './optimistic/versioned-store.ts'
export type { Backoff } from './time/backoff.ts'
export type { Clock, Environment, TimerHandle } from './time/clock.ts'
