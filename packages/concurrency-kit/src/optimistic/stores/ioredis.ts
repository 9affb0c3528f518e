import { randomUUID } from 'node:crypto'
import { StoreError } from '../../errors.ts'
import { BoundedScripts, type BoundedScriptsOptions } from '../../ioredis/bounded-scripts.ts'
import type { Script } from '../../ioredis/script.ts'
import { KeysBeside } from '../../ioredis/slots.ts'
import { keyText } from '../../options.ts'
import type { Environment } from '../../time/clock.ts'
import { findUnstorableJson, refuse } from '../storable.ts'
import type {
  CompareAndSetRequest,
  CompareAndSetResult,
  ReadRequest,
  Versioned,
  VersionedStore,
} from '../versioned-store.ts'
import { compareAndSet, insert, read, remove } from './ioredis-scripts.ts'

export interface IoredisVersionedStoreOptions extends BoundedScriptsOptions {
  /** Prefix of every row's key on Redis, before the id, 1 to 1024 bytes in UTF-8. @defaultValue 'concurrency-kit:versioned:' */
  readonly prefix?: string
}

/** A versioned store that also makes and deletes its rows. */
export interface IoredisVersionedStore<Id, Value> extends VersionedStore<Id, Value> {
  /**
   * False, and nothing done, where the row exists.
   *
   * @throws TypeError for a value that JSON does not carry, with the path.
   * @throws StoreError whether the row was made is unknown, unless it is `transient`.
   */
  insert(id: Id, value: Value): Promise<boolean>
  /**
   * False where there was no such row.
   *
   * @throws StoreError whether the row was deleted is unknown, unless it is `transient`.
   */
  delete(id: Id): Promise<boolean>
}

/**
 * Versioned rows on Redis: JSON values by id, changed by a compare-and-set script.
 *
 * Versions count from the server's time in microseconds at which the row was made, so that an old version never matches a
 * row that was deleted and made again. A write that ioredis sends again after a reconnect counts once: each leaves a
 * mark, `concurrency-kit:write:…`, for `commandMs`. Values are what JSON carries; others are a `TypeError` with the path.
 *
 * @throws TypeError, RangeError for options that cannot serve.
 * @example
 * const accounts = ioredisVersionedStore<number, Account>({ client, prefix: 'account:' })
 * await accounts.insert(1, { balance: 0 })
 */
export function ioredisVersionedStore<Id extends string | number, Value extends object>(
  options: IoredisVersionedStoreOptions,
): IoredisVersionedStore<Id, Value> {
  return new IoredisRows(options)
}

class IoredisRows<Id extends string | number, Value extends object> implements IoredisVersionedStore<Id, Value> {
  readonly name = 'ioredis'
  readonly transactional = false
  declare readonly environment?: Environment
  readonly #prefix: string
  readonly #scripts: BoundedScripts
  readonly #beside: KeysBeside

  constructor({ prefix = 'concurrency-kit:versioned:', ...options }: IoredisVersionedStoreOptions) {
    this.#prefix = keyText('prefix', prefix)
    this.#scripts = new BoundedScripts(this.name, options)
    this.#beside = new KeysBeside(options.client)
    if (options.environment !== undefined) this.environment = options.environment
  }

  async read({ id }: ReadRequest<Id>): Promise<Versioned<Value, number> | undefined> {
    const [value, version] = (await this.#scripts.run('read', read, [this.#rowOf(id)])) as [unknown, unknown]
    if (version === null) return undefined
    return { value: JSON.parse(String(value)), version: this.#versionOf(version) }
  }

  async compareAndSet(request: CompareAndSetRequest<Id, Value, number>): Promise<CompareAndSetResult<Value, number>> {
    const { id, expectedVersion, value } = request
    const version = this.#versionOf(expectedVersion + 1)
    const text = textOf(value)
    if (!(await this.#write('compareAndSet', compareAndSet, id, [expectedVersion, version, text]))) {
      return { stored: false }
    }
    return { stored: true, value: JSON.parse(text), version }
  }

  async insert(id: Id, value: Value): Promise<boolean> {
    return this.#write('insert', insert, id, [textOf(value)])
  }

  delete(id: Id): Promise<boolean> {
    return this.#write('delete', remove, id, [])
  }

  async #write(verb: string, script: Script, id: Id, args: readonly (string | number)[]): Promise<boolean> {
    const row = this.#rowOf(id)
    const keys = [row, this.#beside.name(row, `write:${randomUUID()}`)]
    return Number(await this.#scripts.run(verb, script, keys, [...args, this.#scripts.commandMs])) === 1
  }

  #rowOf(id: Id): string {
    return `${this.#prefix}${keyText('id', String(id))}`
  }

  #versionOf(stored: unknown): number {
    const version = Number(stored)
    if (Number.isSafeInteger(version)) return version
    throw new StoreError(`version of ${this.name} must be a whole number below 2^53, but is ${String(stored)}`)
  }
}

function textOf(value: object): string {
  refuse(findUnstorableJson(value))
  return JSON.stringify(value)
}
