import { Redis, type RedisOptions } from 'ioredis'
import { ioredisLockStore } from '../../../src/entries/ioredis.ts'
import { acquire, extend, release } from '../../../src/lock/stores/ioredis-scripts.ts'
import { startRedis, startRedisSentinel } from '../../support/containers.ts'
import { FaultyLine } from '../../support/faulty-line.ts'
import type { Arena } from '../arena.ts'
import { COMMAND_MS } from '../timing.ts'
import { Closing } from './closing.ts'
import { contestant, twoOf } from './contestants.ts'
import { pausing, restarting } from './server-faults.ts'

/** As the store's documentation asks for it; a connection that says nothing more is given up. */
export const CLIENT = { maxRetriesPerRequest: 1, connectTimeout: 500, socketTimeout: 1_000 } satisfies RedisOptions

/** Flags of a server that forgets nothing. */
export const ON_DISK = '--appendonly yes --appendfsync always'

/** What goes wrong on a line is the same whatever is on the disk, and is tried on the servers that have it there. */
export const NO_LINES = []

export const redisScripts = { acquire: acquire.sha1, extend: extend.sha1, release: release.sha1 }

function connect(options: Omit<RedisOptions, 'replyMapping'>): Redis {
  return new Redis({ ...CLIENT, retryStrategy: () => 20, ...options }).on('error', () => {})
}

export async function redis(persistent: boolean): Promise<Arena> {
  const closing = new Closing()
  const server = closing.add(await startRedis({ flags: persistent ? ON_DISK : '' }), (each) => each.stop())
  const contestants = await twoOf(async () => {
    const line = closing.add(await FaultyLine.to(server.ports[0] as number), (each) => each.close())
    const client = closing.add(connect({ port: line.port }), (each) => each.disconnect())
    const store = closing.add(ioredisLockStore({ client, commandMs: COMMAND_MS }), (each) => each.close())
    return contestant(store, persistent ? [line] : NO_LINES)
  })
  return {
    contestants,
    onTheWire: redisScripts,
    serverFaults: persistent
      ? [pausing(server), restarting(server, 'restart with its data', false)]
      : [restarting(server, 'restart without its data', true)],
    close: () => closing.run(),
  }
}

export async function sentinel(): Promise<Arena> {
  const closing = new Closing()
  const servers = closing.add(await startRedisSentinel(), (each) => each.stop())
  const sentinels = [{ host: '127.0.0.1', port: servers.sentinelPort }]
  const contestants = await twoOf(async () => {
    const client = closing.add(connect({ sentinels, name: 'main' }), (each) => each.disconnect())
    const store = closing.add(ioredisLockStore({ client, commandMs: COMMAND_MS }), (each) => each.close())
    return contestant(store, [])
  })
  return {
    contestants,
    onTheWire: redisScripts,
    serverFaults: [{ name: 'failover to the replica', forgets: true, strike: () => servers.failOver() }],
    close: () => closing.run(),
  }
}
