import type { StoreError } from '../errors.ts'
import { Gathered } from '../gathered.ts'
import type { IoredisClient } from './client.ts'
import { runScript, type Script, storeErrorOf } from './script.ts'

/** Requests that one run may serve: other clients wait while the server is at it. */
const MOST_REQUESTS = 64

/** What a script that serves many requests returns of one: a status that is not negative, a value, and what all share. */
export interface BatchedAnswer {
  readonly status: number
  readonly value: unknown
  readonly shared: unknown
}

interface Request {
  readonly sharedKeys: readonly string[]
  readonly keys: readonly string[]
  readonly args: readonly (string | number)[]
  readonly resolve: (answer: BatchedAnswer) => void
  readonly reject: (error: StoreError) => void
}

/**
 * A script that serves many requests at once: those of one round of the event loop go to the server as one command.
 *
 * A command for each of them costs client and server more than what the script does for it. The script gets the shared
 * keys, then each request's keys, and each request's arguments; it returns `{ status, value, …, shared }`, where status -1
 * is an error of this request alone, with its message.
 */
export class BatchedScript {
  readonly #client: IoredisClient
  readonly #what: string
  readonly #script: Script
  readonly #gathered = new Gathered<Request>(MOST_REQUESTS, (requests) => void this.#send(requests))

  constructor(client: IoredisClient, what: string, script: Script) {
    this.#client = client
    this.#what = what
    this.#script = script
  }

  /**
   * @param group - Requests of one group go together: on a Cluster, those of one slot.
   * @param sharedKeys - The same for every request of the group.
   * @throws StoreError as {@link runScript}; an error of one request is its own.
   */
  run(
    group: string,
    sharedKeys: readonly string[],
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<BatchedAnswer> {
    return new Promise((resolve, reject) => {
      this.#gathered.add(group, { sharedKeys, keys, args, resolve, reject })
    })
  }

  async #send(requests: readonly [Request, ...Request[]]): Promise<void> {
    const keys = [...requests[0].sharedKeys]
    const args: (string | number)[] = []
    for (const request of requests) {
      keys.push(...request.keys)
      args.push(...request.args)
    }
    try {
      const answers = (await runScript(this.#client, this.#what, this.#script, keys, args)) as unknown[]
      const shared = answers[2 * requests.length]
      for (const [index, { resolve, reject }] of requests.entries()) {
        const status = Number(answers[2 * index])
        const value = answers[2 * index + 1]
        if (status >= 0) resolve({ status, value, shared })
        else reject(storeErrorOf(this.#client, this.#what, new Error(String(value))))
      }
    } catch (error) {
      for (const { reject } of requests) reject(error as StoreError)
    }
  }
}
