import { setTimeout } from 'node:timers/promises'
import type { AcquireRequest, AcquireResult, ExtendRequest, LockStore, ReleaseRequest } from '../../src/index.ts'
import { endLeases } from '../../src/index.ts'

interface ThirdPartyLease {
  readonly holder: string
  readonly endsAtMs: number
}

/** A lock store as somebody else would write it: a Map of leases, and every command takes a while each way. */
export class ThirdPartyLockStore implements LockStore<true> {
  readonly name = 'third party'
  readonly fencing = true
  protected readonly leases = new Map<string, ThirdPartyLease>()
  protected readonly watchers = new Set<readonly [key: string, mayBeFree: () => void]>()
  protected nextToken = 1n

  async tryAcquire({ key, holder, ttlMs, tokens }: AcquireRequest): Promise<AcquireResult> {
    await this.onItsWay()
    const lease = this.live(key)
    if (lease !== undefined && lease.holder !== holder) {
      return { acquired: false, freeInMs: lease.endsAtMs - performance.now() }
    }
    this.leases.set(key, { holder, endsAtMs: performance.now() + ttlMs })
    const firstToken = this.nextToken
    this.nextToken += BigInt(tokens)
    await this.onItsWay()
    return { acquired: true, firstToken, tokens }
  }

  async extend({ key, holder, ttlMs }: ExtendRequest): Promise<boolean> {
    await this.onItsWay()
    if (this.live(key)?.holder !== holder) return false
    this.leases.set(key, { holder, endsAtMs: performance.now() + ttlMs })
    return true
  }

  async release({ key, holder }: ReleaseRequest): Promise<boolean> {
    await this.onItsWay()
    if (this.live(key)?.holder !== holder) return false
    this.leases.delete(key)
    for (const [watched, mayBeFree] of this.watchers) if (watched === key) mayBeFree()
    return true
  }

  watch(key: string, mayBeFree: () => void): () => void {
    const watcher = [key, mayBeFree] as const
    this.watchers.add(watcher)
    mayBeFree()
    return () => this.watchers.delete(watcher)
  }

  async close(): Promise<void> {
    await endLeases(this)
  }

  protected live(key: string): ThirdPartyLease | undefined {
    const lease = this.leases.get(key)
    return lease !== undefined && lease.endsAtMs > performance.now() ? lease : undefined
  }

  protected async onItsWay(): Promise<void> {
    await setTimeout(Math.random() * 4)
  }
}
