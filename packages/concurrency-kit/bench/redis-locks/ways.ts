import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { Verrou } from '@verrou/core'
import { redisStore } from '@verrou/core/drivers/redis'
import type { Redis } from 'ioredis'
import pg from 'pg'
import { Mutex } from 'redis-semaphore'
import { ioredisLockStore } from '../../src/entries/ioredis.ts'
import { knexLockStore } from '../../src/entries/knex.ts'
import { type LockStore, withDistributedLock } from '../../src/index.ts'
import type { HandOffBound } from '../../src/lock/lock-store.ts'
import { knexOn } from '../../test/support/postgres-knex.ts'
import { redlock4, redlock5 } from '../../test/support/redlock.ts'

const TTL_MS = 10_000
const WAIT_MS = 60_000
/** Pauses between attempts of the libraries that ask again and again, in ms: short, to be fair to them. */
const RETRY_MS = 5

export interface Way {
  exclusive(key: string, section: () => Promise<void>): Promise<unknown>
}

const releaseScript = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

/** Ways to run a section exclusively over one Redis, each as its documentation has it, with short retries. */
export const ways = {
  'concurrency-kit': (client: Redis, handOff?: HandOffBound): Way =>
    wayOn(ioredisLockStore({ client, ...(handOff && { handOff }) })),
  'raw SET NX PX': (client: Redis): Way => {
    client.defineCommand('releaseIfMine', { numberOfKeys: 1, lua: releaseScript })
    const commands = client as Redis & { releaseIfMine(key: string, holder: string): Promise<number> }
    return {
      exclusive: async (key, section) => {
        const holder = randomUUID()
        while ((await client.set(key, holder, 'PX', TTL_MS, 'NX')) === null) await setTimeout(RETRY_MS * Math.random())
        try {
          await section()
        } finally {
          await commands.releaseIfMine(key, holder)
        }
      },
    }
  },
  'redlock 5': (client: Redis): Way => {
    const redlock = redlock5([client], { retryCount: -1, retryDelay: RETRY_MS, retryJitter: RETRY_MS })
    return {
      exclusive: async (key, section) => {
        const lock = await redlock.acquire([key], TTL_MS)
        try {
          await section()
        } finally {
          await redlock.release(lock)
        }
      },
    }
  },
  'redlock 4': (client: Redis): Way => {
    const redlock = redlock4([client], { retryCount: -1, retryDelay: RETRY_MS, retryJitter: RETRY_MS })
    return {
      exclusive: async (key, section) => {
        const lock = await redlock.acquire([key], TTL_MS)
        try {
          await section()
        } finally {
          await redlock.release(lock)
        }
      },
    }
  },
  'redis-semaphore': (client: Redis): Way => ({
    exclusive: async (key, section) => {
      const options = { lockTimeout: TTL_MS, acquireTimeout: WAIT_MS, retryInterval: RETRY_MS, refreshInterval: 0 }
      const mutex = new Mutex(client, key, options)
      await mutex.acquire()
      try {
        await section()
      } finally {
        await mutex.release()
      }
    },
  }),
  '@verrou/core': (client: Redis): Way => {
    const verrou = new Verrou({ default: 'redis', stores: { redis: { driver: redisStore({ connection: client }) } } })
    return {
      exclusive: async (key, section) => {
        const lock = verrou.createLock(key, TTL_MS)
        await lock.acquire({ retry: { delay: RETRY_MS, timeout: WAIT_MS } })
        try {
          await section()
        } finally {
          await lock.release()
        }
      },
    }
  },
} satisfies Record<string, (client: Redis, handOff?: HandOffBound) => Way>

export type WayName = keyof typeof ways

/** The kit without Redis, on a table that is there. */
export async function onLeaseTable(databaseUrl: string): Promise<Way> {
  const listener = new pg.Client(databaseUrl)
  await listener.connect()
  return wayOn(knexLockStore({ knex: knexOn(databaseUrl), listener }))
}

export function wayOn(store: LockStore): Way {
  return { exclusive: (key, section) => withDistributedLock({ store, key, ttlMs: TTL_MS, waitMs: WAIT_MS }, section) }
}
