import { StoreError } from 'concurrency-kit'
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import type { Logger } from 'pino'
import type { LocksLocation } from './store-urls.ts'

export interface Connection {
  readonly client: Redis | Cluster
  /** Resolves when it is ready for commands. */
  connected(): Promise<void>
  /** Rejects when the server does not answer. */
  ping(): Promise<void>
  hangUp(): void
}

/** Longest time for a server to take the first connection, in ms. */
const START_MS = 5_000
const RECONNECT_MS = 1_000

/**
 * A server that is down is told at once, by a command that fails: the client is to try again with its key, and not to
 * wait for a queue that may hold commands for locks that nobody wants any more. What was sent when a connection broke
 * is never sent again: the kit knows which commands may be repeated, ioredis does not.
 */
const failFast = {
  lazyConnect: true,
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  connectTimeout: 2_000,
  // A connection that is half open is noticed by the first command that nobody answers.
  socketTimeout: 5_000,
  retryStrategy: (times: number) => Math.min(50 * times, RECONNECT_MS),
  // A master that a failover has made a replica: look for the new one.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
} satisfies RedisOptions

export function connectServer(url: string, log: Logger): Connection {
  const { hostname, port } = new URL(url)
  return connection(new Redis(url, failFast), `Redis ${hostname}:${port || 6379}`, log)
}

export function connectSentinel(
  { sentinels, master, tls, username, password }: Extract<LocksLocation, { kind: 'sentinel' }>,
  log: Logger,
): Connection {
  const client = new Redis({
    ...failFast,
    sentinels: [...sentinels],
    name: master,
    sentinelRetryStrategy: failFast.retryStrategy,
    ...access(username, password),
    ...(tls && { tls: {}, enableTLSForSentinelMode: true }),
  })
  return connection(client, `Redis master ${master}`, log)
}

export function connectCluster(
  { nodes, tls, username, password }: Extract<LocksLocation, { kind: 'cluster' }>,
  log: Logger,
): Connection {
  const client = new Cluster([...nodes], {
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: failFast.retryStrategy,
    redisOptions: {
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      connectTimeout: failFast.connectTimeout,
      socketTimeout: failFast.socketTimeout,
      ...access(username, password),
      ...(tls && { tls: {} }),
    },
  })
  return connection(client, 'Redis Cluster', log)
}

function access(username: string | undefined, password: string | undefined) {
  return { ...(username !== undefined && { username }), ...(password !== undefined && { password }) }
}

function connection(client: Redis | Cluster, name: string, log: Logger): Connection {
  let failure: string | undefined
  client.on('error', (error: Error) => {
    // Its message only: the error of a refused AUTH carries the password.
    if (failure === undefined) log.warn(`${name} is not reachable: ${error.message || error.name}`)
    failure = error.message
  })
  client.on('ready', () => {
    if (failure !== undefined) log.info(`${name} is reachable again`)
    failure = undefined
  })
  const connected = () =>
    new Promise<void>((resolve, reject) => {
      const patience = setTimeout(() => {
        reject(new StoreError(`${name} did not answer within ${START_MS} ms${failure ? `: ${failure}` : ''}`))
      }, START_MS)
      client.once('ready', () => {
        clearTimeout(patience)
        resolve()
      })
      // Its failure is told by the event, and tried again.
      client.connect().catch(() => {})
    })
  return {
    client,
    connected,
    ping: async () => {
      try {
        await client.ping()
      } catch (cause) {
        throw new StoreError(`${name} does not answer`, { cause })
      }
    },
    hangUp: () => client.disconnect(),
  }
}
