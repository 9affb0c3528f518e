import { BoundedScripts, type BoundedScriptsOptions } from '../../ioredis/bounded-scripts.ts'
import type { Script } from '../../ioredis/script.ts'
import { keyText } from '../../options.ts'
import type { Environment } from '../../time/clock.ts'
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
import { abandon, claim, complete, find, renew } from './ioredis-scripts.ts'

export interface IoredisIdempotencyStoreOptions extends BoundedScriptsOptions {
  /** Prefix of every record's key on Redis, 1 to 1024 bytes in UTF-8. @defaultValue 'concurrency-kit:idempotency:' */
  readonly prefix?: string
}

/**
 * Idempotency records on Redis, leased: for handlers whose effect is not in a database of yours.
 *
 * A claim has an owner and a lease on the server's clock, and is taken over in one step. Records are hashes that Redis
 * expires by itself: `purge` has nothing to do and answers 0. They last as long as the server keeps what it acknowledged:
 * `appendfsync always` where a restart must not forget a payment, and no eviction. Every command of a run is its owner's
 * alone, so that one that ioredis sends again after a reconnect does no harm.
 *
 * @throws TypeError, RangeError for options that cannot serve.
 * @example
 * const records = ioredisIdempotencyStore({ client: new Redis({ maxRetriesPerRequest: 1 }) })
 */
export function ioredisIdempotencyStore(options: IoredisIdempotencyStoreOptions): LeasedIdempotencyStore {
  return new IoredisIdempotencyStore(options)
}

class IoredisIdempotencyStore implements LeasedIdempotencyStore {
  readonly name = 'ioredis'
  readonly kind = 'leased'
  declare readonly environment?: Environment
  readonly #prefix: string
  readonly #scripts: BoundedScripts

  constructor({ prefix = 'concurrency-kit:idempotency:', ...options }: IoredisIdempotencyStoreOptions) {
    this.#prefix = keyText('prefix', prefix)
    this.#scripts = new BoundedScripts(this.name, options)
    if (options.environment !== undefined) this.environment = options.environment
  }

  async find(request: FindRequest): Promise<CompletedRecord | undefined> {
    const found = await this.#ask('find', find, request)
    return found[1] === null ? undefined : recordOf(found)
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    const { owner, fingerprint, leaseMs, retentionMs, takeOver } = request
    const args = [owner, fingerprint, leaseMs, Math.max(retentionMs, leaseMs), takeOver ? 1 : 0]
    const [status, ...found] = await this.#ask('claim', claim, request, args)
    if (status === 'claimed') return { status, attempt: Number(found[0]) }
    if (status === 'completed') return { status, record: recordOf(found) }
    const recorded = String(found[0])
    if (status === 'vanished') return { status, fingerprint: recorded }
    return { status: 'in_progress', fingerprint: recorded, freeInMs: Number(found[1]) }
  }

  renew(request: OwnedRequest & { readonly leaseMs: number }): Promise<boolean> {
    return this.#owned('renew', renew, request, [request.leaseMs])
  }

  complete(request: OwnedRequest & Settlement & { readonly retentionMs: number }): Promise<boolean> {
    const { outcome, text, retentionMs } = request
    return this.#owned('complete', complete, request, [outcome, text, retentionMs])
  }

  abandon(request: OwnedRequest): Promise<boolean> {
    return this.#owned('abandon', abandon, request)
  }

  async purge(): Promise<number> {
    return 0
  }

  async #owned(
    verb: string,
    script: Script,
    request: OwnedRequest,
    args: readonly (string | number)[] = [],
  ): Promise<boolean> {
    return Number(await this.#scripts.run(verb, script, [this.#nameOf(request)], [request.owner, ...args])) === 1
  }

  async #ask(
    verb: string,
    script: Script,
    record: RecordKey,
    args: readonly (string | number)[] = [],
  ): Promise<unknown[]> {
    return (await this.#scripts.run(verb, script, [this.#nameOf(record)], args)) as unknown[]
  }

  /** With the scope's length in front no other scope and key read the same. */
  #nameOf({ scope, key }: RecordKey): string {
    return `${this.#prefix}${scope.length}:${scope}${key}`
  }
}

function recordOf([fingerprint, outcome, text]: readonly unknown[]): CompletedRecord {
  return { fingerprint: String(fingerprint), outcome: outcome === 'error' ? 'error' : 'result', text: String(text) }
}
