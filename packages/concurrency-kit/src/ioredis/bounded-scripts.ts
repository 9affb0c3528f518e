import { wholeNumber } from '../options.ts'
import { ask } from '../store-command.ts'
import { type Environment, systemEnvironment } from '../time/clock.ts'
import { checkClient, type IoredisClient } from './client.ts'
import { runScript, type Script } from './script.ts'

export interface BoundedScriptsOptions<Client extends IoredisClient = IoredisClient> {
  /**
   * An ioredis `Redis` (single server or Sentinel) or `Cluster`, version 5 or later, on Redis 6.2 or later.
   *
   * Stays the caller's; a `keyPrefix` of it is put before every key. Set `maxRetriesPerRequest` to 1 or so, or
   * `enableOfflineQueue: false`: by its defaults ioredis keeps commands for a server that is not reachable, long after
   * `commandMs`, and sends them when it is back.
   */
  readonly client: Client
  /** Longest time that a command may take, in ms, integer >= 1. @defaultValue 2_000 */
  readonly commandMs?: number
  readonly environment?: Environment
}

/** The scripts of a store whose commands nobody above it bounds in time. */
export class BoundedScripts {
  readonly commandMs: number
  readonly #name: string
  readonly #client: IoredisClient
  readonly #environment: Environment

  constructor(name: string, { client, commandMs = 2_000, environment = systemEnvironment }: BoundedScriptsOptions) {
    checkClient(client)
    this.commandMs = wholeNumber('commandMs', commandMs, 1)
    this.#name = name
    this.#client = client
    this.#environment = environment
  }

  /** @throws StoreError the server failed or did not answer in time; what was sent may still be done. */
  async run(
    verb: string,
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[] = [],
  ): Promise<unknown> {
    const what = `${verb} of ${this.#name}`
    return ask(what, this.commandMs, this.#environment.clock, () => runScript(this.#client, what, script, keys, args))
  }
}
