import { backoffMs } from '../time/backoff.ts'
import { systemEnvironment, type TimerHandle } from '../time/clock.ts'
import type { IoredisCluster, IoredisConnection, IoredisConnectionOptions, IoredisServer } from './client.ts'

/** Called with each message, and with none where messages may have been missed. */
type Listener = (message: string | undefined) => void

interface Channel {
  readonly listeners: Set<Listener>
  subscribed: boolean
}

/** Reconnecting and resubscribing is done here, the same for all kinds of client: the connection itself tries once. */
const CONNECTION: IoredisConnectionOptions = {
  lazyConnect: false,
  retryStrategy: () => null,
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: true,
  enableAutoPipelining: false,
  maxRetriesPerRequest: null,
}
const RECONNECT = { baseMs: 100, capMs: 2_000 }

const byClient = new WeakMap<IoredisServer | IoredisCluster, Announcements>()

/**
 * One connection per client for all that is announced to its stores: opened for the first listener, closed with the last
 * store, and never a reason for anything to fail.
 */
export class Announcements {
  readonly #client: IoredisServer | IoredisCluster
  readonly #channels = new Map<string, Channel>()
  readonly #stores = new Set<object>()
  #connection: IoredisConnection | undefined
  #failures = 0
  #reconnecting: TimerHandle

  private constructor(client: IoredisServer | IoredisCluster) {
    this.#client = client
  }

  static of(client: IoredisServer | IoredisCluster): Announcements {
    const existing = byClient.get(client)
    if (existing !== undefined) return existing
    const announcements = new Announcements(client)
    byClient.set(client, announcements)
    return announcements
  }

  /** `store` keeps the connection open until it leaves. */
  listen(store: object, name: string, listener: Listener): () => void {
    this.#stores.add(store)
    const channel = this.#channels.get(name) ?? { listeners: new Set(), subscribed: false }
    channel.listeners.add(listener)
    if (!this.#channels.has(name)) {
      this.#channels.set(name, channel)
      if (this.#connection === undefined) this.#connect()
      else this.#subscribe(this.#connection, [name])
    } else if (channel.subscribed) listener(undefined)
    return () => {
      if (!channel.listeners.delete(listener) || channel.listeners.size > 0) return
      this.#channels.delete(name)
      this.#connection?.unsubscribe(name).catch(() => {})
    }
  }

  leave(store: object): void {
    this.#stores.delete(store)
    if (this.#stores.size > 0) return
    systemEnvironment.clock.clearTimer(this.#reconnecting)
    this.#reconnecting = undefined
    const connection = this.#connection
    this.#connection = undefined
    connection?.disconnect()
  }

  #connect(): void {
    if (this.#reconnecting !== undefined) return
    const connection = this.#open()
    if (connection === undefined) {
      this.#connectLater()
      return
    }
    this.#connection = connection
    connection.on('error', () => {})
    connection.on('end', () => this.#ended(connection))
    connection.on('message', (name, message) => this.#tell(name, message))
    this.#subscribe(connection, [...this.#channels.keys()])
  }

  /** Undefined where a Cluster's nodes are not known yet, or no more. */
  #open(): IoredisConnection | undefined {
    if (!('nodes' in this.#client)) return this.#client.duplicate(CONNECTION)
    // What is published on one node of a Cluster is heard on all.
    const nodes = this.#client.nodes()
    return nodes[Math.trunc(systemEnvironment.random() * nodes.length)]?.duplicate(CONNECTION)
  }

  #subscribe(connection: IoredisConnection, names: readonly string[]): void {
    const channels = names.flatMap((name) => this.#channels.get(name) ?? [])
    const subscribed = () => {
      if (this.#connection !== connection) return
      this.#failures = 0
      for (const channel of channels) {
        channel.subscribed = true
        for (const listener of channel.listeners) listener(undefined)
      }
    }
    // Without it those who wait have their timers.
    connection.subscribe(...names).then(subscribed, () => {})
  }

  #tell(name: string, message: string): void {
    const channel = this.#channels.get(name)
    if (channel !== undefined) for (const listener of channel.listeners) listener(message)
  }

  #ended(connection: IoredisConnection): void {
    if (this.#connection !== connection) return
    this.#connection = undefined
    for (const channel of this.#channels.values()) channel.subscribed = false
    this.#connectLater()
  }

  #connectLater(): void {
    if (this.#channels.size === 0) return
    this.#failures += 1
    const { clock, random } = systemEnvironment
    this.#reconnecting = clock.setTimer(
      () => {
        this.#reconnecting = undefined
        if (this.#channels.size > 0) this.#connect()
      },
      backoffMs(RECONNECT, this.#failures, random),
    )
  }
}
