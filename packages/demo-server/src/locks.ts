import { type LockStore, memoryLockStore } from 'concurrency-kit'
import { ioredisLockStore } from 'concurrency-kit/ioredis'
import { redlockLockStore } from 'concurrency-kit/redlock'
import type { Logger } from 'pino'
import Redlock from 'redlock'

import { type Connection, connectCluster, connectSentinel, connectServer } from './redis-connections.ts'
import type { LocksLocation } from './store-urls.ts'

/** The store of the locks, with the connections that it uses. */
export interface Locks {
  readonly store: LockStore
  /** Rejects when too few of the servers answer for a lock to be had. */
  ready(): Promise<void>
  /** Gives the locks back that are still held, and hangs up. */
  close(): Promise<void>
}

/**
 * @throws Error none of the servers (of a quorum: no majority) answered in time; nothing is left open. It names the
 * servers, never a password.
 */
export async function openLocks(location: LocksLocation, log: Logger): Promise<Locks> {
  switch (location.kind) {
    case 'in-process': {
      const store = memoryLockStore()
      return { store, ready: async () => {}, close: () => store.close() }
    }
    case 'single':
      return onOne(connectServer(location.url, log))
    case 'sentinel':
      return onOne(connectSentinel(location, log))
    case 'cluster':
      return onOne(connectCluster(location, log))
    case 'quorum':
      return onQuorum(location.urls.map((url) => connectServer(url, log)))
  }
}

function onOne(connection: Connection): Promise<Locks> {
  return opened([connection], () => ioredisLockStore({ client: connection.client }))
}

function onQuorum(connections: readonly Connection[]): Promise<Locks> {
  return opened(connections, () => {
    const clients = connections.map(({ client }) => client)
    // The kit waits and asks again, fairly; Redlock is to answer at once.
    return redlockLockStore({ redlock: new Redlock(clients, { retryCount: 0 }) })
  })
}

async function opened(connections: readonly Connection[], storeOn: () => LockStore): Promise<Locks> {
  const majority = Math.floor(connections.length / 2) + 1
  const ready = () => atLeast(majority, connections, ({ ping }) => ping())
  try {
    await atLeast(majority, connections, ({ connected }) => connected())
  } catch (error) {
    for (const { hangUp } of connections) hangUp()
    throw error
  }
  const store = storeOn()
  return {
    store,
    ready,
    close: async () => {
      try {
        await store.close()
      } finally {
        for (const { hangUp } of connections) hangUp()
      }
    },
  }
}

/** Resolves as soon as `count` of them have; rejects with the first failure when that cannot be any more. */
function atLeast(
  count: number,
  connections: readonly Connection[],
  ask: (connection: Connection) => Promise<void>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const failures: unknown[] = []
    let answered = 0
    for (const connection of connections) {
      ask(connection).then(
        () => {
          answered += 1
          if (answered === count) resolve()
        },
        (error) => {
          failures.push(error)
          if (connections.length - failures.length < count) reject(failures[0])
        },
      )
    }
  })
}
