export type { AbortSignalLike, Signal } from './abort.ts'
export * from './errors.ts'
export type { EventChannel } from './events.ts'
export { events } from './events.ts'
export { acquireLock, type OwnedLease } from './lock/acquire-lock.ts'
export type { FencingToken, FencingTokens, Lease, LeaseOn } from './lock/lease.ts'
export { endLeases } from './lock/lock-engine.ts'
export type { LockOptions } from './lock/lock-options.ts'
export type {
  AcquireRequest,
  AcquireResult,
  ExtendRequest,
  HandOffBound,
  LockStore,
  ReleaseRequest,
} from './lock/lock-store.ts'
export { type MemoryLockStoreOptions, memoryLockStore } from './lock/stores/memory.ts'
export { type DistributedLockOptions, withDistributedLock } from './lock/with-distributed-lock.ts'
export type { Clock, Environment, TimerHandle } from './time/clock.ts'
