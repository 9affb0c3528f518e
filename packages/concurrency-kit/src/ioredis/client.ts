import { expectClient } from '../client-kinds.ts'
import type { Gathering } from '../one-write.ts'
import { functionOption, objectWith } from '../options.ts'

/** What every store uses of an ioredis client, `Redis` or `Cluster`, version 5 or later: its scripts, and where keys go. */
export interface IoredisClient {
  readonly isCluster: boolean
  readonly options: {
    readonly keyPrefix?: string | undefined
    readonly autoResendUnfulfilledCommands?: boolean | undefined
  }
  /** The connection of a `Redis`, once there is one. */
  readonly stream?: Gathering | undefined
  evalsha(sha1: string, numberOfKeys: number, ...keysAndArguments: string[]): Promise<unknown>
  eval(script: string, numberOfKeys: number, ...keysAndArguments: string[]): Promise<unknown>
}

/** An ioredis `Redis`, on a single server or by Sentinel, of which a connection for announcements can be made. */
export interface IoredisServer extends IoredisClient {
  duplicate(options: IoredisConnectionOptions): IoredisConnection
}

/** An ioredis `Cluster`. */
export interface IoredisCluster extends IoredisClient {
  nodes(): { duplicate(options: IoredisConnectionOptions): IoredisConnection }[]
}

/** How a connection of the kit's own differs from the client that it is made from. */
export interface IoredisConnectionOptions {
  lazyConnect: boolean
  retryStrategy: () => null
  autoResubscribe: boolean
  autoResendUnfulfilledCommands: boolean
  enableOfflineQueue: boolean
  enableAutoPipelining: boolean
  maxRetriesPerRequest: null
}

/** What is used of that connection. */
export interface IoredisConnection {
  on(event: 'message', listener: (channel: string, message: string) => void): unknown
  on(event: 'error' | 'end', listener: () => void): unknown
  subscribe(...channels: string[]): Promise<unknown>
  unsubscribe(...channels: string[]): Promise<unknown>
  disconnect(): void
}

/** @throws TypeError unless `client` is one of ioredis, as far as it is used. */
export function checkClient(client: unknown): void {
  expectClient('client', 'an ioredis client', client)
  objectWith('client', client, ['evalsha', 'eval'])
  objectWith('client.options', Reflect.get(client as object, 'options'), [])
}

/** @throws TypeError unless a connection for announcements can be made of `client`. */
export function checkAnnouncingClient(client: unknown): void {
  checkClient(client)
  const maker = Reflect.get(client as object, 'isCluster') ? 'nodes' : 'duplicate'
  functionOption(`client.${maker}`, Reflect.get(client as object, maker))
}

/** The key as the server has it: ioredis puts the client's `keyPrefix` before every key, and before no channel. */
export function keyOnServer(client: IoredisClient, key: string): string {
  return `${client.options.keyPrefix ?? ''}${key}`
}
