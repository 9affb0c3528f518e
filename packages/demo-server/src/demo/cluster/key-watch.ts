import { setTimeout } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { locksLocation } from '../../store-urls.ts'

interface KeysSeen {
  /** How often all keys were listed. */
  readonly samples: number
  /** Most lock keys at once. */
  readonly mostLocks: number
  /** Names under `balance:user:` that are no lock key, and keys of nobody that came while the demo ran. */
  readonly strangers: readonly string[]
}

export interface KeyWatch {
  /** So far. */
  seen(): KeysSeen
  stop(): Promise<KeysSeen>
}

const EVERY_MS = 100
const LOCK_KEY = /^balance:user:\d+$/
/** The counter of fencing tokens, and the queues of processes that wait, as `ioredisLockStore` documents them. */
const KIT_KEY = /^concurrency-kit:(fencing-tokens$|waiting:balance:user:\d+$)/

/**
 * Looks at all keys of the first Redis of `redisUrl` again and again; undefined where the URL does not name a server
 * but how to find one.
 */
export async function watchKeys(redisUrl: string): Promise<KeyWatch | undefined> {
  const location = locksLocation(redisUrl)
  const url = location.kind === 'single' ? location.url : location.kind === 'quorum' ? location.urls[0] : undefined
  if (url === undefined) return undefined
  const redis = new Redis(url, { maxRetriesPerRequest: 0, retryStrategy: () => EVERY_MS })
  redis.on('error', () => {})
  const before = new Set(await keysOf(redis))
  const strangers = new Set<string>()
  let samples = 0
  let mostLocks = 0
  let watching = true
  const watch = async () => {
    while (watching) {
      // While Redis is down there is nothing to be seen.
      const keys = await keysOf(redis).catch(() => undefined)
      if (keys !== undefined) {
        samples += 1
        mostLocks = Math.max(mostLocks, keys.filter((key) => LOCK_KEY.test(key)).length)
        for (const key of keys) {
          if (!LOCK_KEY.test(key) && !KIT_KEY.test(key) && !before.has(key)) strangers.add(key)
        }
      }
      await setTimeout(EVERY_MS)
    }
    redis.disconnect()
  }
  const watched = watch()
  const seen = () => ({ samples, mostLocks, strangers: [...strangers] })
  return {
    seen,
    stop: async () => {
      watching = false
      await watched
      return seen()
    },
  }
}

async function keysOf(redis: Redis): Promise<string[]> {
  const keys: string[] = []
  let cursor = '0'
  do {
    const [next, found] = await redis.scan(cursor, 'COUNT', 1_000)
    keys.push(...found)
    cursor = next
  } while (cursor !== '0')
  return keys
}
