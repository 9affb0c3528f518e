import { createRequire } from 'node:module'
import { Redis } from 'ioredis'
import type { Redlock4, Redlock5 } from '../../src/entries/redlock.ts'

interface Settings {
  readonly retryCount?: number
  readonly retryDelay?: number
  readonly retryJitter?: number
  readonly automaticExtensionThreshold?: number
}
type Routine<Result> = (signal: AbortSignal) => Promise<Result>
/** Version 5 publishes types that no resolution of today finds, version 4.2 none. */
interface Instance5 extends Redlock5 {
  using<Result>(resources: string[], ttlMs: number, routine: Routine<Result>): Promise<Result>
  removeAllListeners(event: string): this
}
interface Instance4 extends Redlock4 {
  removeAllListeners(event: string): this
  acquireWithOptions(resource: string, ttlMs: number, settings: Settings): PromiseLike<{ expiration: number }>
}

const require = createRequire(import.meta.url)
const { default: Redlock } = require('redlock')
const RedlockFour = require('redlock-4')

export const redlock5 = (nodes: readonly Redis[], settings: Settings = { retryCount: 0 }): Instance5 =>
  new Redlock(nodes, settings)

export const redlock4 = (nodes: readonly Redis[], settings: Settings = { retryCount: 0 }): Instance4 =>
  new RedlockFour([...nodes], settings)

export const VERSIONS = [
  ['redlock 5', redlock5],
  ['redlock 4.2', redlock4],
] as const

/** A client as the store's documentation asks for it: a node that is down says so at once. */
export function nodeOn(port: number, options: { readonly socketTimeout?: number } = {}): Redis {
  const node = new Redis({
    ...options,
    port,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    retryStrategy: () => 50,
  })
  node.on('error', () => {})
  return node
}

/** The SHA-1 by which each script is asked for. */
export function scriptsOf(redlock: Redlock5 | Redlock4): Record<'acquire' | 'extend' | 'release', string> {
  const { scripts } = redlock as unknown as { scripts: Record<string, { hash: string }> }
  const hash = (...names: string[]) => names.map((name) => scripts[name]?.hash).find(Boolean) as string
  return {
    acquire: hash('acquireScript', 'lockScript'),
    extend: hash('extendScript'),
    release: hash('releaseScript', 'unlockScript'),
  }
}
