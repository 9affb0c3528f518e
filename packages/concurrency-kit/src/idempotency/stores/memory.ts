import { type Environment, systemEnvironment } from '../../time/clock.ts'
import type {
  ClaimRequest,
  ClaimResult,
  CompletedRecord,
  FindRequest,
  LeasedIdempotencyStore,
  OwnedRequest,
  RecordKey,
  Settlement,
} from '../idempotency-store.ts'

export interface MemoryIdempotencyStoreOptions {
  readonly environment?: Environment
}

/**
 * Idempotency records within one process, leased: gone when the process ends.
 *
 * For a single instance whose keys need not outlive it, and for tests. Expired records go when their key is used again
 * or by `purge`.
 */
export function memoryIdempotencyStore(options: MemoryIdempotencyStoreOptions = {}): LeasedIdempotencyStore {
  return new MemoryIdempotencyStore(options.environment ?? systemEnvironment)
}

type MemoryRecord =
  | {
      status: 'in_progress'
      fingerprint: string
      owner: string
      attempt: number
      leaseEndsAtMs: number
      expiresAtMs: number
    }
  | { status: 'completed'; record: CompletedRecord; owner: string; expiresAtMs: number }

class MemoryIdempotencyStore implements LeasedIdempotencyStore {
  readonly name = 'memory'
  readonly kind = 'leased'
  readonly environment: Environment
  readonly #records = new Map<string, MemoryRecord>()

  constructor(environment: Environment) {
    this.environment = environment
  }

  async find(request: FindRequest): Promise<CompletedRecord | undefined> {
    const found = this.#unexpired(request)
    return found?.status === 'completed' ? found.record : undefined
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    const { fingerprint, owner, leaseMs, retentionMs, takeOver } = request
    const nowMs = this.#nowMs()
    const found = this.#unexpired(request)
    if (found?.status === 'completed') return { status: 'completed', record: found.record }
    let attempt = 1
    if (found !== undefined) {
      const freeInMs = found.leaseEndsAtMs - nowMs
      const own = found.owner === owner
      if (!own && freeInMs > 0) return { status: 'in_progress', fingerprint: found.fingerprint, freeInMs }
      if (!own && (!takeOver || found.fingerprint !== fingerprint)) {
        return { status: 'vanished', fingerprint: found.fingerprint }
      }
      attempt = own ? found.attempt : found.attempt + 1
    }
    const leaseEndsAtMs = nowMs + leaseMs
    const expiresAtMs = nowMs + Math.max(retentionMs, leaseMs)
    this.#records.set(nameOf(request), {
      status: 'in_progress',
      fingerprint,
      owner,
      attempt,
      leaseEndsAtMs,
      expiresAtMs,
    })
    return { status: 'claimed', attempt }
  }

  async renew(request: OwnedRequest & { readonly leaseMs: number }): Promise<boolean> {
    const owned = this.#owned(request)
    if (owned === undefined) return false
    owned.leaseEndsAtMs = this.#nowMs() + request.leaseMs
    owned.expiresAtMs = Math.max(owned.expiresAtMs, owned.leaseEndsAtMs)
    return true
  }

  async complete(request: OwnedRequest & Settlement & { readonly retentionMs: number }): Promise<boolean> {
    const found = this.#unexpired(request)
    const { owner, outcome, text, retentionMs } = request
    if (found?.owner !== owner) return false
    if (found.status === 'completed') return true
    const record = { fingerprint: found.fingerprint, outcome, text }
    const expiresAtMs = this.#nowMs() + retentionMs
    this.#records.set(nameOf(request), { status: 'completed', record, owner, expiresAtMs })
    return true
  }

  async abandon(request: OwnedRequest): Promise<boolean> {
    return this.#owned(request) !== undefined && this.#records.delete(nameOf(request))
  }

  async purge({ limit }: { readonly limit: number }): Promise<number> {
    const nowMs = this.#nowMs()
    let purged = 0
    for (const [name, record] of this.#records) {
      if (purged === limit) break
      if (record.expiresAtMs > nowMs) continue
      this.#records.delete(name)
      purged += 1
    }
    return purged
  }

  #nowMs(): number {
    return this.environment.clock.monotonicMs()
  }

  #unexpired(key: RecordKey): MemoryRecord | undefined {
    const found = this.#records.get(nameOf(key))
    return found !== undefined && found.expiresAtMs > this.#nowMs() ? found : undefined
  }

  #owned(request: OwnedRequest) {
    const found = this.#unexpired(request)
    return found?.status === 'in_progress' && found.owner === request.owner ? found : undefined
  }
}

function nameOf({ scope, key }: RecordKey): string {
  return `${scope.length}:${scope}${key}`
}
