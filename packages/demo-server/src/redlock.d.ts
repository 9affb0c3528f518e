/** Its own types are not found by `import` (they are not in its `exports`): the part that is used here. */
declare module 'redlock' {
  import type { EventEmitter } from 'node:events'
  import type { Cluster, Redis } from 'ioredis'

  interface Lock {
    readonly value: string
    expiration: number
  }

  export default class Redlock extends EventEmitter {
    constructor(clients: Iterable<Redis | Cluster>, settings: { readonly retryCount: number })
    readonly clients: Set<Redis | Cluster>
    readonly settings: { readonly retryCount: number }
    acquire(resources: string[], duration: number): Promise<Lock>
    extend(lock: Lock, duration: number): Promise<Lock>
    release(lock: Lock): Promise<unknown>
    using<Result>(resources: string[], duration: number, routine: () => Promise<Result>): Promise<Result>
  }
}
