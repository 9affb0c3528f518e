import { createHash } from 'node:crypto'
import { StoreError } from '../errors.ts'
import { inOneWrite } from '../one-write.ts'
import type { IoredisClient } from './client.ts'

/** A Lua script, known to servers by its SHA-1. */
export class Script {
  readonly text: string
  readonly sha1: string

  constructor(text: string) {
    this.text = text
    this.sha1 = createHash('sha1').update(text).digest('hex')
  }
}

/** What a server answers when it did nothing for now: it moves slots, or runs another script. */
const PASSING = /^-?(?:CLUSTERDOWN|TRYAGAIN|NOREPLICAS|BUSY) /
/**
 * The same of a server that starts or fails over. A client that sends commands again after a reconnect may have this answer
 * to the second of two, and the first was done.
 */
const PASSING_UNLESS_RESENT = /^-?(?:LOADING|READONLY|MASTERDOWN) /

/**
 * Runs `script` on the server that has `keys`, by its SHA-1.
 *
 * A server that does not know it is sent the text, by `EVAL` with the same keys: so it reaches the very node that asked
 * for it, which a `SCRIPT LOAD` on a Cluster would not.
 *
 * @throws StoreError `what` failed; whether the script ran is unknown, unless it is `transient`.
 */
export async function runScript(
  client: IoredisClient,
  what: string,
  { text, sha1 }: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  const keysAndArguments = [...keys, ...args.map(String)]
  inOneWrite(client.stream)
  try {
    try {
      return await client.evalsha(sha1, keys.length, ...keysAndArguments)
    } catch (error) {
      if (!messageOf(error).startsWith('NOSCRIPT')) throw error
      return await client.eval(text, keys.length, ...keysAndArguments)
    }
  } catch (error) {
    throw storeErrorOf(client, what, error)
  }
}

/** What the server answered, as the error of a store. */
export function storeErrorOf(client: IoredisClient, what: string, cause: unknown): StoreError {
  const resends = client.options.autoResendUnfulfilledCommands !== false
  const message = messageOf(cause)
  const transient = PASSING.test(message) || (!resends && PASSING_UNLESS_RESENT.test(message))
  const why = message.includes('WRONGTYPE')
    ? ': the key holds a value that is not a lock, record or row of this store'
    : ''
  return new StoreError(`${what} failed${why}`, { cause, transient })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : ''
}
