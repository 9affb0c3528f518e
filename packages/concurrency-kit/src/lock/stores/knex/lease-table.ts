import type { AcquireRequest, AcquireResult } from '../../lock-store.ts'

/** What a database does differently on a table of leases; one attempt each, and any error as the driver throws it. */
export interface LeaseTable {
  acquire(request: AcquireRequest): Promise<AcquireResult>
  /** False when there is no live lease of `holder`. */
  extend(key: string, holder: string, ttlMs: number): Promise<boolean>
  /** False when there was no lease of `holder`. */
  release(key: string, holder: string): Promise<boolean>
}
